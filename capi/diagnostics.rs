//! Diagnostics as records: what is wrong with a kernel text, where, and what to do about it.
#![expect(unsafe_code, reason = "entries take what callers pass")]

use std::ffi::{CString, c_char};
use std::ptr::null;

use ufc::{SourceError, Span};

use crate::abi::{Sizable, put, write_struct};
use crate::error::{Failure, c_string, ufc_status};
use crate::handle::{self, ufc_diagnostics};
use crate::panic::entry;

/// How bad a finding is.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ufc_severity {
    /// The kernel cannot be compiled.
    UFC_SEVERITY_ERROR = 1,
    /// It can, but the author should look.
    UFC_SEVERITY_WARNING = 2,
}

/// A place in a kernel text.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ufc_span {
    /// Offset of its first byte.
    pub start: usize,
    /// Offset past its last byte.
    pub end: usize,
    /// Line of its start, from 1.
    pub line: usize,
    /// Column of its start, from 1, in characters.
    pub column: usize,
    /// Line of its end.
    pub end_line: usize,
    /// Column of its end.
    pub end_column: usize,
}

/// One finding. Texts are valid until the diagnostics are freed; those that there are not are NULL.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ufc_diagnostic {
    /// `sizeof(ufc_diagnostic)`.
    pub struct_size: usize,
    /// The code, such as "UFC0302"; `docs/errors` has a page for each.
    pub code: *const c_char,
    /// One line that names what it is about.
    pub message: *const c_char,
    /// The name that the kernel text was given.
    pub file: *const c_char,
    /// The place.
    pub span: ufc_span,
    /// What is wrong at the place; may be empty.
    pub label: *const c_char,
    /// A fact that helps to understand, or NULL.
    pub note: *const c_char,
    /// What to do about it, or NULL.
    pub help: *const c_char,
    /// Text to put at `fix_span` as the repair, or NULL.
    pub fix: *const c_char,
    /// What the repair replaces; all zeros if there is none.
    pub fix_span: ufc_span,
    /// How many other places play a part: see `ufc_diagnostics_related`.
    pub related_count: usize,
    /// A `ufc_severity`.
    pub severity: i32,
    /// Always 0.
    pub reserved: u32,
}

// SAFETY: the fields follow one another without padding, and pointers are not followed.
unsafe impl Sizable for ufc_diagnostic {
    const NAME: &'static str = "ufc_diagnostic";
}

/// Another place that plays a part in a finding.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ufc_related {
    /// `sizeof(ufc_related)`.
    pub struct_size: usize,
    /// The place.
    pub span: ufc_span,
    /// What is said about it; may be empty. Valid until the diagnostics are freed.
    pub label: *const c_char,
}

// SAFETY: as above.
unsafe impl Sizable for ufc_related {
    const NAME: &'static str = "ufc_related";
}

/// The findings about one text.
pub(crate) struct DiagnosticsObject {
    text: CString,
    file: CString,
    findings: Vec<Finding>,
}

struct Finding {
    code: CString,
    message: CString,
    label: CString,
    note: Option<CString>,
    help: Option<CString>,
    fix: Option<(CString, ufc_span)>,
    span: ufc_span,
    related: Vec<(CString, ufc_span)>,
    severity: ufc_severity,
}

const NO_SPAN: ufc_span = ufc_span {
    start: 0,
    end: 0,
    line: 0,
    column: 0,
    end_line: 0,
    end_column: 0,
};

impl DiagnosticsObject {
    pub(crate) fn new(error: &SourceError) -> DiagnosticsObject {
        let source = &error.source;
        let findings = error.diagnostics.iter().map(|d| Finding {
            code: c_string(d.code.name()),
            message: c_string(&*d.message),
            label: c_string(&*d.primary.text),
            note: d.note.as_deref().map(c_string),
            help: d.help.as_deref().map(c_string),
            fix: d
                .fix
                .as_ref()
                .map(|fix| (c_string(&*fix.replacement), place(fix.span, source))),
            span: place(d.primary.span, source),
            related: d
                .secondary
                .iter()
                .map(|label| (c_string(&*label.text), place(label.span, source)))
                .collect(),
            severity: match d.is_error() {
                true => ufc_severity::UFC_SEVERITY_ERROR,
                false => ufc_severity::UFC_SEVERITY_WARNING,
            },
        });
        DiagnosticsObject {
            findings: findings.collect(),
            text: c_string(ufc::render::plain(error)),
            file: c_string(&*error.name),
        }
    }

    fn finding(&self, index: usize) -> Result<&Finding, Failure> {
        let count = self.findings.len();
        let no_such =
            || Failure::argument(format!("there is no finding {index}: there are {count}"));
        self.findings.get(index).ok_or_else(no_such)
    }
}

fn place(span: Span, source: &str) -> ufc_span {
    let (line, column) = span.line_column(source);
    let (end_line, end_column) = span.after().line_column(source);
    ufc_span {
        start: span.start as usize,
        end: span.end as usize,
        line,
        column,
        end_line,
        end_column,
    }
}

fn pointer(text: Option<&CString>) -> *const c_char {
    text.map_or(null(), |text| text.as_ptr())
}

/// How many findings there are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_diagnostics_count(
    diagnostics: *const ufc_diagnostics,
    count: *mut usize,
) -> ufc_status {
    entry(|| {
        let diagnostics = handle::get::<DiagnosticsObject>(diagnostics, "diagnostics")?;
        // SAFETY: the caller vouches for the place.
        unsafe { put(count, diagnostics.findings.len(), "count") }
    })
}

/// The finding of this number, from 0, in the order of the text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_diagnostics_get(
    diagnostics: *const ufc_diagnostics,
    index: usize,
    diagnostic: *mut ufc_diagnostic,
) -> ufc_status {
    entry(|| {
        let diagnostics = handle::get::<DiagnosticsObject>(diagnostics, "diagnostics")?;
        let finding = diagnostics.finding(index)?;
        let value = ufc_diagnostic {
            struct_size: 0,
            code: finding.code.as_ptr(),
            message: finding.message.as_ptr(),
            file: diagnostics.file.as_ptr(),
            span: finding.span,
            label: finding.label.as_ptr(),
            note: pointer(finding.note.as_ref()),
            help: pointer(finding.help.as_ref()),
            fix: pointer(finding.fix.as_ref().map(|(text, _)| text)),
            fix_span: finding.fix.as_ref().map_or(NO_SPAN, |(_, span)| *span),
            related_count: finding.related.len(),
            severity: finding.severity as i32,
            reserved: 0,
        };
        // SAFETY: the caller vouches for the struct.
        unsafe { write_struct(diagnostic, &value, "diagnostic") }
    })
}

/// Another place that plays a part in a finding, by the numbers of both, from 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_diagnostics_related(
    diagnostics: *const ufc_diagnostics,
    index: usize,
    number: usize,
    related: *mut ufc_related,
) -> ufc_status {
    entry(|| {
        let diagnostics = handle::get::<DiagnosticsObject>(diagnostics, "diagnostics")?;
        let all = &diagnostics.finding(index)?.related;
        let no_such = || {
            let count = all.len();
            Failure::argument(format!(
                "finding {index} has no place {number}: it has {count}"
            ))
        };
        let (label, span) = all.get(number).ok_or_else(no_such)?;
        let value = ufc_related {
            struct_size: 0,
            span: *span,
            label: label.as_ptr(),
        };
        // SAFETY: the caller vouches for the struct.
        unsafe { write_struct(related, &value, "related") }
    })
}

/// All findings as a person reads them in a terminal. Valid until the diagnostics are freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_diagnostics_text(
    diagnostics: *const ufc_diagnostics,
    text: *mut *const c_char,
) -> ufc_status {
    entry(|| {
        let diagnostics = handle::get::<DiagnosticsObject>(diagnostics, "diagnostics")?;
        // SAFETY: the caller vouches for the place.
        unsafe { put(text, diagnostics.text.as_ptr(), "text") }
    })
}

/// Frees diagnostics.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_diagnostics_free(diagnostics: *mut ufc_diagnostics) -> ufc_status {
    entry(|| handle::free::<DiagnosticsObject>(diagnostics, "diagnostics"))
}
