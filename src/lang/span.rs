//! Places in a kernel's source, as diagnostics and tokens name them.

use std::fmt;

/// A stretch of the source: from `start` up to, not including, `end`.
///
/// The numbers mean what the maker of the tokens says: byte offsets when the tokens come from text, token numbers
/// when they come from a Rust macro. The parser only joins spans; it never looks inside the source through them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First position.
    pub start: u32,
    /// Position after the last.
    pub end: u32,
}

impl Span {
    /// The span between two positions.
    pub const fn new(start: u32, end: u32) -> Span {
        Span { start, end }
    }

    /// The smallest span that has both.
    pub fn to(self, other: Span) -> Span {
        Span {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    /// The empty span just after this one, where something is missing.
    pub const fn after(self) -> Span {
        Span {
            start: self.end,
            end: self.end,
        }
    }

    /// The empty span at the start of this one, where something is to be inserted.
    pub const fn before(self) -> Span {
        Span {
            start: self.start,
            end: self.start,
        }
    }

    /// The span as a range of byte offsets.
    pub const fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Line and column of its start, both from 1, in the text it points into; columns count characters.
    pub fn line_column(self, source: &str) -> (usize, usize) {
        let before = source.get(..self.start as usize).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_and_locates() {
        let span = Span::new(7, 8).to(Span::new(4, 5));
        assert_eq!(span, Span::new(4, 8));
        assert_eq!(span.line_column("ab\ncde"), (2, 2));
        assert_eq!(Span::new(5, 6).line_column("ab\nßcd"), (2, 2));
    }
}
