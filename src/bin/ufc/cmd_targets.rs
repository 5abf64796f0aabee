//! `ufc targets`: every target, with its devices or why it has none.

use serde_json::{Value, json};
use ufc::dispatch::{TargetInfo, targets};

use crate::args::Json;
use crate::output::{BAD, Failure, GOOD, Screen, paint, table};

pub(crate) fn run(screen: Screen, args: &Json) -> Result<(), Failure> {
    let targets = targets();
    if args.json {
        return screen.json(&targets.iter().map(to_json).collect());
    }
    let rows = targets.iter().flat_map(rows).collect();
    screen.line(table(
        &["target", "state", "device", "what it is"],
        &[],
        rows,
    ))?;
    for target in &targets {
        for device in target.devices.as_ref().into_iter().flatten() {
            for note in &device.notes {
                screen.line(format_args!("{}:{}: {note}", target.name, device.name))?;
            }
        }
    }
    Ok(())
}

fn rows(target: &TargetInfo) -> Vec<Vec<String>> {
    let name = || target.name.to_string();
    match &target.devices {
        Ok(devices) => devices
            .iter()
            .map(|device| {
                let state = paint(GOOD, "ready");
                vec![
                    name(),
                    state,
                    device.name.clone(),
                    device.description.clone(),
                ]
            })
            .collect(),
        Err(why) => {
            let state = paint(BAD, "missing");
            vec![vec![name(), state, String::new(), why.to_string()]]
        }
    }
}

fn to_json(target: &TargetInfo) -> Value {
    let (devices, reason) = match &target.devices {
        Ok(devices) => (devices.as_slice(), None),
        Err(why) => (&[][..], Some(why.to_string())),
    };
    let device = |d: &ufc_target::Device| json!({ "name": d.name, "description": d.description, "notes": d.notes });
    json!({
        "target": target.name,
        "available": target.devices.is_ok(),
        "reason": reason,
        "devices": devices.iter().map(device).collect::<Value>(),
    })
}
