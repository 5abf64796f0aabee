//! `ufc targets`: every target, with its devices or why it has none, and what they can do.

use serde_json::{Value, json};
use ufc::DType;
use ufc::dispatch::{self, TargetInfo, targets};
use ufc_ir::ops::{AnyOp, Op};
use ufc_target::{Action, Device, DeviceKind, Promise};

use crate::args::Targets;
use crate::output::{BAD, FAINT, Failure, GOOD, Screen, bytes, paint, rate, table, time};

pub(crate) fn run(screen: Screen, args: &Targets) -> Result<(), Failure> {
    if args.calibrate {
        let results = dispatch::calibrate(|device| screen.say(format_args!("measuring {device}")))?;
        for (device, result) in results {
            if let Err(error) = result {
                screen.warn(format_args!("{device} could not be measured: {error}"));
            }
        }
    }
    let targets = targets();
    if let Some(note) = dispatch::figures_note() {
        screen.warn(note);
    }
    if args.json {
        return screen.json(&targets.iter().map(to_json).collect());
    }
    let rows = targets.iter().flat_map(rows).collect();
    screen.line(table(
        &["target", "state", "device", "what it is"],
        &[],
        rows,
    ))?;
    let devices = || {
        let of = |target: &'_ TargetInfo| target.devices.clone().unwrap_or_default();
        targets
            .iter()
            .flat_map(move |t| of(t).into_iter().map(move |d| (t, d)))
    };
    screen.line("")?;
    screen.line(table(
        &[
            "device",
            "op/s",
            "64-bit op/s",
            "memory",
            "to it",
            "from it",
            "latency",
            "figures",
        ],
        &[1, 2, 3, 4, 5, 6],
        devices()
            .map(|(target, device)| figures_row(target, &device))
            .collect(),
    ))?;
    screen.line("")?;
    for (target, device) in devices() {
        for note in notes(target, &device) {
            screen.line(format_args!("{}:{}: {note}", target.name, device.name))?;
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
                let state = match device.kind {
                    DeviceKind::Software => paint(FAINT, "by name"),
                    DeviceKind::Gpu | DeviceKind::Processor => paint(GOOD, "ready"),
                };
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

/// What a device can do, as a row.
fn figures_row(target: &TargetInfo, device: &Device) -> Vec<String> {
    let (figures, is_measured) = target.figures(device);
    let copied = |per_second: f64| match per_second.is_finite() {
        true => format!("{}/s", bytes(per_second)),
        false => "-".to_string(),
    };
    vec![
        format!("{}:{}", target.name, device.name),
        rate(figures.ops),
        rate(figures.wide),
        copied(figures.memory),
        copied(figures.upload),
        copied(figures.download),
        time(figures.latency),
        match is_measured {
            true => paint(GOOD, "measured"),
            false => paint(FAINT, "assumed"),
        },
    ]
}

/// Lines about a device: its driver, memory, dtypes, how near its results are, and what its back end has to say.
fn notes(target: &TargetInfo, device: &Device) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(driver) = &device.driver {
        notes.push(format!("driver {driver}"));
    }
    if let Some(memory) = device.memory {
        notes.push(format!("{} of memory", bytes(memory as f64)));
    }
    let lacking: Vec<&str> = DType::ALL
        .iter()
        .filter(|dtype| !has(target, device, **dtype))
        .map(|dtype| dtype.name())
        .collect();
    if !lacking.is_empty() {
        notes.push(format!("has no {}", lacking.join(", ")));
    }
    if let Some(Promise::Ulps(ulps)) = promise(target, device) {
        notes.push(format!("floats of each function within {ulps} ulp"));
    }
    notes.extend(device.notes.iter().cloned());
    notes
}

fn promise(target: &TargetInfo, device: &Device) -> Option<Promise> {
    let backend = dispatch::backend(target.name).ok()?;
    Some(backend.promise(Some(&device.name)))
}

/// Whether a device computes on a dtype, in whatever way.
fn has(target: &TargetInfo, device: &Device, dtype: DType) -> bool {
    let Ok(backend) = dispatch::backend(target.name) else {
        return false;
    };
    let legality = backend.legality(Some(&device.name));
    let key = match dtype.is_complex() && legality.splits_complex() {
        true => dtype.part(),
        false => dtype,
    };
    let op = match dtype {
        DType::Bool => Op::And,
        _ => Op::Add,
    };
    legality.action(AnyOp::Core(op), key) != Action::Unsupported
}

fn to_json(target: &TargetInfo) -> Value {
    let (devices, reason) = match &target.devices {
        Ok(devices) => (devices.as_slice(), None),
        Err(why) => (&[][..], Some(why.to_string())),
    };
    let device = |d: &Device| {
        let (figures, is_measured) = target.figures(d);
        let dtypes = DType::ALL.iter().filter(|dtype| has(target, d, **dtype));
        let promise = match promise(target, d) {
            Some(Promise::Ulps(ulps)) => json!({ "ulps": ulps }),
            _ => json!("bits"),
        };
        json!({
            "name": d.name,
            "description": d.description,
            "kind": match d.kind {
                DeviceKind::Processor => "processor",
                DeviceKind::Gpu => "gpu",
                DeviceKind::Software => "software",
            },
            "driver": d.driver,
            "memory_bytes": d.memory,
            "dtypes": dtypes.map(|dtype| dtype.name()).collect::<Value>(),
            "promise": promise,
            "measured": is_measured,
            "figures": figures.to_json(),
            "notes": d.notes,
        })
    };
    json!({
        "target": target.name,
        "available": target.devices.is_ok(),
        "reason": reason,
        "devices": devices.iter().map(device).collect::<Value>(),
    })
}
