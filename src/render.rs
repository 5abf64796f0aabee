//! Diagnostics as a person reads them in a terminal, and as a program reads them in JSON.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Patch, Renderer, Snippet};
use serde_json::{Value, json};
use ufc_lang::diag::{Diagnostic, Label, Severity};
use ufc_lang::span::Span;

use crate::error::SourceError;

/// Most bytes of source that one excerpt shows: labels further apart get an excerpt each.
const MAX_EXCERPT: usize = 4096;

/// Most bytes of context on either side of a place in a line that is too long to be shown whole.
const MAX_CONTEXT: usize = 60;

/// Every diagnostic of an error as plain text, one after the other.
pub fn plain(error: &SourceError) -> String {
    text(&error.name, &error.source, &error.diagnostics, false)
}

/// Diagnostics as text that looks like rustc's, with colours if asked for. Ends with a line break unless empty.
pub fn text(name: &str, source: &str, diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let source = Source::new(name, source);
    let mut out = String::new();
    for (i, diagnostic) in diagnostics.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        out.push_str(&without_empty_origins(
            renderer.render(&source.groups(diagnostic)),
        ));
        out.push('\n');
    }
    out
}

/// Drops the lines that the renderer writes for an excerpt whose place stands just above it already.
fn without_empty_origins(text: String) -> String {
    let lines = text
        .split('\n')
        .filter(|line| unstyled(line).trim() != ":::");
    lines.collect::<Vec<_>>().join("\n")
}

/// A line without its escape sequences, which all end with an `m`.
fn unstyled(line: &str) -> String {
    let mut parts = line.split('\x1b');
    let first = parts.next().unwrap_or_default();
    let rest = parts.map(|part| part.split_once('m').map_or(part, |(_, text)| text));
    std::iter::once(first).chain(rest).collect()
}

/// Diagnostics as JSON: an array of objects with the keys `code`, `severity`, `message`, `file`, `labels`, `note`,
/// `help` and `fix`. Positions are byte offsets; lines and columns count from 1, columns in characters.
pub fn json(name: &str, source: &str, diagnostics: &[Diagnostic]) -> Value {
    let source = Source::new(name, source);
    diagnostics.iter().map(|d| source.json(d)).collect()
}

/// A text with the start of each of its lines.
struct Source<'a> {
    name: &'a str,
    text: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> Source<'a> {
    fn new(name: &'a str, text: &'a str) -> Source<'a> {
        let breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let line_starts = std::iter::once(0)
            .chain(breaks.map(|(at, _)| at + 1))
            .collect();
        Source {
            name,
            text,
            line_starts,
        }
    }

    /// A span as offsets that are inside the text and between characters.
    fn range(&self, span: Span) -> Range<usize> {
        let start = self.text.floor_char_boundary(span.start as usize);
        let end = self.text.ceil_char_boundary(span.end as usize);
        start..end.max(start)
    }

    /// Number of the line, from 0, that an offset is in.
    fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at) - 1
    }

    /// Offsets of a line without its line break.
    fn line_range(&self, line: usize) -> Range<usize> {
        let start = self.line_starts[line];
        let end = self.line_starts.get(line + 1);
        start..end.map_or(self.text.len(), |next| next - 1)
    }

    /// Line and column of an offset, both from 1, columns in characters.
    fn position(&self, at: usize) -> (usize, usize) {
        let line = self.line(at);
        let before = &self.text[self.line_starts[line]..at];
        (line + 1, before.chars().count() + 1)
    }

    /// The whole lines from the first to the last of these places, unless that is too much to show.
    fn lines(&self, places: impl Iterator<Item = Range<usize>>) -> Option<Range<usize>> {
        let all = places.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end))?;
        let start = self.line_range(self.line(all.start)).start;
        let end = self.line_range(self.line(all.end)).end;
        (end - start <= MAX_EXCERPT).then_some(start..end)
    }

    /// A part of the text, with the carriage returns of line breaks as blanks so that they do not show.
    fn excerpt(&self, range: Range<usize>) -> Cow<'a, str> {
        let text = &self.text[range];
        if !text.contains('\r') {
            return Cow::Borrowed(text);
        }
        let text = text.replace("\r\n", " \n");
        Cow::Owned(match text.strip_suffix('\r') {
            Some(rest) => format!("{rest} "),
            None => text,
        })
    }

    fn groups(&self, diagnostic: &'a Diagnostic) -> Vec<Group<'a>> {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(&diagnostic.message);
        let mut group = Group::with_title(title.id(diagnostic.code.name()));
        let labels = || {
            let primary = (AnnotationKind::Primary, &diagnostic.primary);
            let secondary = diagnostic.secondary.iter();
            std::iter::once(primary).chain(secondary.map(|l| (AnnotationKind::Context, l)))
        };
        match self.lines(labels().map(|(_, label)| self.range(label.span))) {
            Some(shown) => group = group.element(self.snippet(shown, labels())),
            None => {
                for label in labels() {
                    group = self.clipped(group, label);
                }
            }
        }
        if let Some(note) = &diagnostic.note {
            group = group.element(Level::NOTE.message(note));
        }
        let repair = diagnostic.fix.as_ref().and_then(|fix| {
            let at = self.range(fix.span);
            let shown = self.lines(std::iter::once(at.clone()))?;
            Some((at.start - shown.start..at.end - shown.start, shown, fix))
        });
        let Some((at, shown, fix)) = repair else {
            if let Some(help) = &diagnostic.help {
                group = group.element(Level::HELP.message(help));
            }
            return vec![group];
        };
        let line = self.line(shown.start) + 1;
        let snippet = Snippet::source(self.excerpt(shown))
            .path(self.name.to_string())
            .line_start(line)
            .patch(Patch::new(at, &fix.replacement));
        let help = diagnostic.help.as_deref().unwrap_or("write this instead");
        let help = Level::HELP.secondary_title(help).element(snippet);
        vec![group, help]
    }

    /// Whole lines with every label in place.
    fn snippet(
        &self,
        shown: Range<usize>,
        labels: impl Iterator<Item = (AnnotationKind, &'a Label)>,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let annotations = labels.map(|(kind, label)| {
            let at = self.range(label.span);
            let annotation = kind.span(at.start - shown.start..at.end - shown.start);
            annotation.label(&label.text)
        });
        Snippet::source(self.excerpt(shown.clone()))
            .path(self.name.to_string())
            .line_start(self.line(shown.start) + 1)
            .annotations(annotations.collect::<Vec<_>>())
    }

    /// One label with a little of the text around it.
    fn clipped(&self, group: Group<'a>, (kind, label): (AnnotationKind, &'a Label)) -> Group<'a> {
        let at = self.range(label.span);
        let line = self.line_range(self.line(at.start));
        let text = self.text;
        let start = text.floor_char_boundary(at.start.saturating_sub(MAX_CONTEXT));
        let start = start.max(line.start);
        let last = at.end.min(at.start + MAX_CONTEXT).min(line.end);
        let last = text.floor_char_boundary(last).max(at.start);
        let end = text.floor_char_boundary((last + MAX_CONTEXT).min(line.end));
        let end = end.max(last);
        let (number, column) = self.position(at.start);
        let origin = Origin::path(self.name.to_string());
        let annotation = kind.span(at.start - start..last - start).label(&label.text);
        let snippet = Snippet::source(self.excerpt(start..end)).line_start(number);
        group
            .element(origin.line(number).char_column(column))
            .element(snippet.annotation(annotation))
    }

    fn json(&self, diagnostic: &Diagnostic) -> Value {
        let label = |label: &Label, primary: bool| {
            let at = self.range(label.span);
            let (line, column) = self.position(at.start);
            let (end_line, end_column) = self.position(at.end);
            json!({
                "primary": primary,
                "text": label.text,
                "start": at.start,
                "end": at.end,
                "line": line,
                "column": column,
                "end_line": end_line,
                "end_column": end_column,
            })
        };
        let mut labels = vec![label(&diagnostic.primary, true)];
        labels.extend(diagnostic.secondary.iter().map(|l| label(l, false)));
        let fix = diagnostic.fix.as_ref().map(|fix| {
            let at = self.range(fix.span);
            json!({ "start": at.start, "end": at.end, "replacement": fix.replacement })
        });
        json!({
            "code": diagnostic.code.name(),
            "severity": match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            "message": diagnostic.message,
            "file": self.name,
            "labels": labels,
            "note": diagnostic.note,
            "help": diagnostic.help,
            "fix": fix,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ufc_lang::codes::Code;

    fn mixed(source: &str) -> Diagnostic {
        let at = |text: &str| {
            let start = source.find(text).unwrap() as u32;
            Span::new(start, start + text.len() as u32)
        };
        Diagnostic::error(
            Code::MixedTypes,
            at("n"),
            "`x` is f32 and `n` is u32",
            "u32",
        )
        .also(at("x"), "f32")
        .help("convert `n`")
        .fix(at("n").after(), " as f32")
    }

    #[test]
    fn shows_labels_and_the_repair() {
        let source = "top\nx + n;\n";
        let shown = text("a.ufk", source, &[mixed(source)], false);
        let expected = "\
error[UFC0302]: `x` is f32 and `n` is u32
 --> a.ufk:2:5
  |
2 | x + n;
  | -   ^ u32
  | |
  | f32
  |
help: convert `n`
  |
2 | x + n as f32;
  |       ++++++
";
        assert_eq!(shown, expected);
        assert!(text("a.ufk", source, &[mixed(source)], true).contains("\x1b["));
    }

    #[test]
    fn cuts_long_lines() {
        let source = format!("{} x + {}n", "β".repeat(100_000), "1 + ".repeat(100_000));
        let shown = text("a.ufk", &source, &[mixed(&source)], false);
        assert!(shown.len() < 2000, "{shown}");
        assert!(shown.contains("a.ufk:1:100002"), "{shown}");
        assert!(shown.contains("^ u32"), "{shown}");
        assert!(shown.lines().all(|line| line.trim() != ":::"), "{shown}");
        let colored = text("a.ufk", &source, &[mixed(&source)], true);
        let unstyled: Vec<String> = colored.lines().map(unstyled).collect();
        assert_eq!(unstyled, shown.lines().collect::<Vec<_>>());
    }

    #[test]
    fn windows_line_breaks_do_not_show() {
        let source = "top\r\nx + n\r\nend\r\n";
        let shown = text("a.ufk", source, &[mixed(source)], false);
        assert!(shown.contains("2 | x + n as f32 \n"), "{shown:?}");
        assert!(!shown.contains(['\r', '␍']), "{shown:?}");
    }

    #[test]
    fn places_outside_the_text_do_no_harm() {
        let lost = Diagnostic::error(Code::Internal, Span::new(1, 900), "lost", "here");
        for source in ["", "é", "\n\n", "one\ntwo"] {
            assert!(text("a", source, std::slice::from_ref(&lost), false).contains("lost"));
            assert!(json("a", source, std::slice::from_ref(&lost)).is_array());
        }
    }

    #[test]
    fn json_has_lines_and_columns() {
        let source = "é\nx + n";
        let value = json("a.ufk", source, &[mixed(source)]);
        assert_eq!(value[0]["code"], "UFC0302");
        assert_eq!(value[0]["labels"][0]["line"], 2);
        assert_eq!(value[0]["labels"][0]["column"], 5);
        assert_eq!(value[0]["labels"][0]["start"], 7);
        assert_eq!(value[0]["fix"]["replacement"], " as f32");
        assert_eq!(value[0]["note"], Value::Null);
    }
}
