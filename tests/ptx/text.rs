//! PTX text to statements: comments dropped, a line number with each.

use crate::Refused;

/// A statement of a kernel's body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Statement {
    Label(String),
    /// `.reg .TYPE NAME<COUNT>`: type, prefix, count.
    Registers(String, String, u32),
    /// Guard, opcode, operands.
    Inst(Option<String>, String, Vec<String>),
}

/// A kernel as written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    pub name: String,
    /// Type and name.
    pub params: Vec<(String, String)>,
    pub body: Vec<(usize, Statement)>,
}

/// A module as written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    pub version: String,
    pub target: String,
    pub entries: Vec<Entry>,
}

fn refused<T>(line: usize, what: impl Into<String>) -> Result<T, Refused> {
    let what = what.into();
    Err(Refused { line, what })
}

/// The text without comments, and for each byte its line.
fn without_comments(text: &str) -> Vec<(usize, char)> {
    let mut kept = Vec::new();
    let mut line = 1;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('/', Some('/')) => while chars.next_if(|c| *c != '\n').is_some() {},
            ('/', Some('*')) => {
                let mut last = ' ';
                for c in chars.by_ref() {
                    line += usize::from(c == '\n');
                    if last == '*' && c == '/' {
                        break;
                    }
                    last = c;
                }
                kept.push((line, ' '));
            }
            _ => {
                kept.push((line, c));
                line += usize::from(c == '\n');
            }
        }
    }
    kept
}

struct Reader {
    chars: Vec<(usize, char)>,
    at: usize,
}

impl Reader {
    fn line(&self) -> usize {
        let last = self.chars.last().map_or(1, |c| c.0);
        self.chars.get(self.at).map_or(last, |c| c.0)
    }

    fn skip_space(&mut self) {
        while self.chars.get(self.at).is_some_and(|c| c.1.is_whitespace()) {
            self.at += 1;
        }
    }

    fn is_done(&mut self) -> bool {
        self.skip_space();
        self.at == self.chars.len()
    }

    fn peek(&mut self) -> Option<char> {
        self.skip_space();
        self.chars.get(self.at).map(|c| c.1)
    }

    fn take(&mut self, wanted: char) -> Result<(), Refused> {
        match self.peek() {
            Some(c) if c == wanted => {
                self.at += 1;
                Ok(())
            }
            found => refused(self.line(), format!("`{wanted}` is wanted, not {found:?}")),
        }
    }

    /// A run of characters up to space or one of these.
    fn word(&mut self, ends: &[char]) -> String {
        self.skip_space();
        let mut word = String::new();
        while let Some((_, c)) = self.chars.get(self.at) {
            if c.is_whitespace() || ends.contains(c) {
                break;
            }
            word.push(*c);
            self.at += 1;
        }
        word
    }

    /// Everything up to this character, which is consumed.
    fn until(&mut self, end: char) -> Result<String, Refused> {
        let start = self.line();
        let mut found = String::new();
        while let Some((_, c)) = self.chars.get(self.at) {
            self.at += 1;
            if *c == end {
                return Ok(found);
            }
            found.push(*c);
        }
        refused(start, format!("`{end}` is missing"))
    }
}

pub(crate) fn read(text: &str) -> Result<Text, Refused> {
    let mut reader = Reader {
        chars: without_comments(text),
        at: 0,
    };
    let mut found = Text::default();
    while !reader.is_done() {
        let line = reader.line();
        match reader.word(&['(', '{', ';']).as_str() {
            ".version" => found.version = reader.word(&[]),
            ".target" => found.target = reader.word(&[]),
            ".address_size" => {
                let size = reader.word(&[]);
                if size != "64" {
                    return refused(line, format!("addresses of {size} bits"));
                }
            }
            ".visible" => {}
            ".entry" => found.entries.push(entry(&mut reader)?),
            other => return refused(line, format!("unknown directive `{other}`")),
        }
    }
    if found.version.is_empty() || found.target.is_empty() {
        return refused(1, "a module begins with .version and .target");
    }
    Ok(found)
}

fn entry(reader: &mut Reader) -> Result<Entry, Refused> {
    let mut entry = Entry {
        name: reader.word(&['(', '{']),
        ..Entry::default()
    };
    if reader.peek() == Some('(') {
        reader.take('(')?;
        let line = reader.line();
        for param in reader.until(')')?.split(',').map(str::trim) {
            let words: Vec<&str> = param.split_whitespace().collect();
            match words[..] {
                [".param", t, name] => {
                    let t = t.trim_start_matches('.').to_string();
                    entry.params.push((t, name.to_string()));
                }
                [] => {}
                _ => return refused(line, format!("parameter `{param}`")),
            }
        }
    }
    reader.take('{')?;
    loop {
        match reader.peek() {
            Some('}') => {
                reader.take('}')?;
                return Ok(entry);
            }
            None => return refused(reader.line(), "`}` is missing"),
            Some(_) => {
                let line = reader.line();
                let found = statement(reader, line)?;
                entry.body.push((line, found));
            }
        }
    }
}

fn statement(reader: &mut Reader, line: usize) -> Result<Statement, Refused> {
    let start = reader.at;
    let word = reader.word(&[';', ':']);
    if reader.peek() == Some(':') && !word.starts_with('@') {
        reader.take(':')?;
        return Ok(Statement::Label(word));
    }
    reader.at = start;
    let text = reader.until(';')?;
    let text = text.trim();
    if let Some(rest) = text.strip_prefix(".reg") {
        let words: Vec<&str> = rest.split_whitespace().collect();
        if let [t, name] = words[..]
            && let Some((prefix, count)) = name.split_once('<')
            && let Some(count) = count.strip_suffix('>').and_then(|n| n.parse().ok())
        {
            let t = t.trim_start_matches('.').to_string();
            return Ok(Statement::Registers(t, prefix.to_string(), count));
        }
        return refused(line, format!("registers `{rest}`"));
    }
    let (guard, text) = match text.strip_prefix('@') {
        Some(rest) => match rest.split_once(char::is_whitespace) {
            Some((guard, text)) => (Some(guard.to_string()), text.trim()),
            None => return refused(line, "a guard without an instruction"),
        },
        None => (None, text),
    };
    let (opcode, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    Ok(Statement::Inst(guard, opcode.to_string(), operands(rest)))
}

/// Operands between commas that stand in no braces.
fn operands(text: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut depth = 0;
    for c in text.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 {
            found.push(String::new());
        } else if let Some(last) = found.last_mut() {
            last.push(c);
        }
    }
    let found: Vec<String> = found.iter().map(|s| s.trim().to_string()).collect();
    match &found[..] {
        [only] if only.is_empty() => Vec::new(),
        _ => found,
    }
}
