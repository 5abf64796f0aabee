//! How the command speaks: colours, tables, units, failures and their exit codes.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use ufc::{Error, SourceError};
use ufc_target::BackendError;

pub(crate) use ufc::units::{bytes, rate, time};

use crate::args::ColorWhen;

/// The input is at fault.
pub(crate) const USER_ERROR: u8 = 1;
/// The command line is at fault.
pub(crate) const USAGE: u8 = 2;
/// No suitable device.
pub(crate) const NO_DEVICE: u8 = 3;
/// ufc is at fault.
pub(crate) const BUG: u8 = 101;
/// Stopped by Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;

/// Why a verb stops.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A message and an exit code.
    Message(u8, String),
    /// Mistakes in a kernel's text.
    Source(Box<SourceError>),
    /// All was said already; only the exit code is left.
    Said(u8),
    /// Nobody reads what we print any more.
    Unread,
}

impl Failure {
    /// A mistake in the user's input.
    pub(crate) fn user(text: impl Into<String>) -> Failure {
        Failure::Message(USER_ERROR, text.into())
    }

    /// A mistake in the command line.
    pub(crate) fn usage(text: impl Into<String>) -> Failure {
        Failure::Message(USAGE, text.into())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let code = match &error {
            Error::Source(source) => return Failure::Source(source.clone()),
            Error::Target(ufc::TargetError::Unknown { .. }) => USAGE,
            Error::Target(ufc::TargetError::Missing { .. }) => NO_DEVICE,
            Error::Internal { .. } => BUG,
            Error::Backend { error, .. } | Error::Device { error, .. } => match error {
                BackendError::NoDevice(_) => NO_DEVICE,
                BackendError::CompileFailed(_) => BUG,
                BackendError::Cancelled => INTERRUPTED,
                BackendError::DeviceLost { .. } => NO_DEVICE,
                BackendError::Unsupported(_)
                | BackendError::OutOfMemory { .. }
                | BackendError::LaunchFailed(_) => USER_ERROR,
            },
            Error::NoKernel { .. }
            | Error::SeveralResults { .. }
            | Error::Array(_)
            | Error::Io { .. }
            | Error::Ir(_)
            | Error::NoLoop { .. } => USER_ERROR,
        };
        let text = match code {
            INTERRUPTED => "interrupted".to_string(),
            _ => error.to_string(),
        };
        Failure::Message(code, text)
    }
}

impl From<ufc::array::ArrayError> for Failure {
    fn from(error: ufc::array::ArrayError) -> Failure {
        Failure::user(error.to_string())
    }
}

/// From writing to stdout.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Unread,
            _ => Failure::user(format!("writing the output failed: {error}")),
        }
    }
}

/// Where the command writes, and whether in colour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    color: ColorChoice,
}

impl Screen {
    /// Follows the flag, NO_COLOR and what the streams are.
    pub(crate) fn new(when: ColorWhen) -> Screen {
        let color = match when {
            ColorWhen::Auto => ColorChoice::Auto,
            ColorWhen::Always => ColorChoice::Always,
            ColorWhen::Never => ColorChoice::Never,
        };
        Screen { color }
    }

    /// Data goes here.
    pub(crate) fn out(self) -> AutoStream<io::StdoutLock<'static>> {
        AutoStream::new(io::stdout().lock(), self.color)
    }

    /// Messages go here.
    pub(crate) fn err(self) -> AutoStream<io::StderrLock<'static>> {
        AutoStream::new(io::stderr().lock(), self.color)
    }

    /// Prints a line of data.
    pub(crate) fn line(self, text: impl Display) -> Result<(), Failure> {
        writeln!(self.out(), "{text}")?;
        Ok(())
    }

    /// Prints JSON data.
    pub(crate) fn json(self, value: &serde_json::Value) -> Result<(), Failure> {
        self.line(format_args!("{value:#}"))
    }

    /// Says something on stderr; there is nobody to tell if that fails.
    pub(crate) fn say(self, text: impl Display) {
        let _ = writeln!(self.err(), "{text}");
    }

    /// Warns on stderr.
    pub(crate) fn warn(self, text: impl Display) {
        let style = AnsiColor::Yellow.on_default().bold();
        self.say(format_args!("{}: {text}", paint(style, "warning")));
    }

    /// Shows diagnostics on stderr.
    pub(crate) fn diagnostics(self, name: &str, source: &str, list: &[ufc_lang::diag::Diagnostic]) {
        // The stream drops the colours again where they are not wanted.
        let text = ufc::render::text(name, source, list, true);
        let _ = write!(self.err(), "{text}");
    }

    /// Says why a verb stopped, and gives the exit code.
    pub(crate) fn conclude(self, result: Result<(), Failure>) -> ExitCode {
        match result {
            Ok(()) | Err(Failure::Unread) => ExitCode::SUCCESS,
            Err(Failure::Said(code)) => ExitCode::from(code),
            Err(Failure::Message(code, text)) => {
                let style = AnsiColor::Red.on_default().bold();
                self.say(format_args!("{}: {text}", paint(style, "error")));
                ExitCode::from(code)
            }
            Err(Failure::Source(error)) => {
                self.diagnostics(&error.name, &error.source, &error.diagnostics);
                self.explain_hint(&error.diagnostics);
                ExitCode::from(USER_ERROR)
            }
        }
    }

    /// Tells where more is to be read about the first error.
    pub(crate) fn explain_hint(self, list: &[ufc_lang::diag::Diagnostic]) {
        if let Some(first) = list.iter().find(|d| d.is_error()) {
            self.say(format_args!(
                "\nFor more about this error, try `ufc explain {}`.",
                first.code
            ));
        }
    }
}

/// Text in a style.
pub(crate) fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// For what succeeded.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// For what did not.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// For headings.
pub(crate) const HEADING: Style = Style::new().bold();
/// For what matters less.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// A table without lines, sized to its contents; `right` tells which columns hold numbers.
pub(crate) fn table(header: &[&str], right: &[usize], rows: Vec<Vec<String>>) -> String {
    let header = header.iter().map(|text| paint(HEADING, text)).collect();
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
    let width = |cell: &String| strip_str(cell).to_string().chars().count();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|i| {
            rows.iter()
                .filter_map(|row| row.get(i))
                .map(width)
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (i, cell) in row.iter().enumerate() {
            let gap = " ".repeat(widths[i] - width(cell));
            let (before, after) = if right.contains(&i) {
                (gap, String::new())
            } else {
                (String::new(), gap)
            };
            line.push_str(&format!("{before}{cell}{after}  "));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out
}

/// Whether somebody watches stderr.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let rows = vec![
            vec!["exp".to_string(), "1.5".to_string()],
            vec!["saturating_add".to_string(), paint(GOOD, "10")],
        ];
        let text = strip_str(&table(&["name", "n"], &[1], rows)).to_string();
        let expected = "name              n\nexp             1.5\nsaturating_add   10";
        assert_eq!(text, expected);
    }
}
