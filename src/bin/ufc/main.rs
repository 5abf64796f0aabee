//! The command `ufc`: parses the command line and hands over to the verb.

mod args;
mod cmd_bench;
mod cmd_check;
mod cmd_emit;
mod cmd_explain;
mod cmd_ops;
mod cmd_render;
mod cmd_run;
mod cmd_targets;
#[cfg(feature = "ulp")]
mod cmd_ulp;
mod contour;
mod examples;
mod generate;
mod input;
mod kernel;
mod measure;
mod output;
mod picture;
mod progress;
mod save;
#[cfg(feature = "ulp")]
mod ulp;
mod values;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Cli, Verb};
use output::{Failure, Screen, USAGE};

fn main() -> ExitCode {
    report_panics_as_bugs();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors to clap; if nobody reads them there is nothing left to do.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    progress::catch_interrupt();
    let screen = Screen::new(cli.color);
    let result = run(screen, &cli.verb);
    for loss in ufc::dispatch::losses() {
        screen.warn(format_args!(
            "the device `{}:{}` was lost: {}",
            loss.target, loss.device, loss.why
        ));
    }
    screen.conclude(result)
}

fn run(screen: Screen, verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Run(args) => cmd_run::run(screen, args),
        Verb::Eval(args) => cmd_run::eval(screen, args),
        Verb::Bench(args) => cmd_bench::run(screen, args),
        Verb::Render(args) => cmd_render::run(screen, args),
        Verb::Check(args) => cmd_check::run(screen, args),
        Verb::Emit(args) => cmd_emit::run(screen, args),
        Verb::Targets(args) => cmd_targets::run(screen, args),
        Verb::Ops(args) => cmd_ops::run(screen, args),
        Verb::Explain(args) => cmd_explain::run(screen, args),
        #[cfg(feature = "ulp")]
        Verb::Ulp(args) => cmd_ulp::run(screen, args),
        Verb::Completions(args) => {
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), "ufc", &mut script);
            screen.line(String::from_utf8_lossy(&script).trim_end())
        }
    }
}

/// A panic is a mistake of ours: say so, and what to send us. The exit code is then 101.
fn report_panics_as_bugs() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"error: this is a bug in ufc; please report it with the kernel and the lines below\n",
        );
        default(info);
    }));
}
