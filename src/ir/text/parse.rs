//! Reads `.ufir` text.

use crate::constant::Const;
use crate::convert::from_f64;
use crate::dtype::{DType, Kind};
use crate::func::{
    Entity, Func, Inst, InstData, InstKind, Region, SecondaryMap, Terminator, Value, ValueData,
    ValueDef,
};
use crate::ops::{MathFn, Op};
use crate::text::KEYWORDS;
use crate::verify::MAX_NESTING;
use std::collections::HashMap;
use std::error::Error;
use std::fmt;

/// Why text is not a function, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Line, from 1.
    pub line: usize,
    /// Character of the line, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl Error for ParseError {}

/// What reading gives.
type Result<T> = std::result::Result<T, ParseError>;

/// A function and the lines on which its pieces stand.
#[derive(Debug)]
pub struct Parsed {
    /// The function, which has not been verified.
    pub func: Func,
    /// Line of each instruction.
    pub inst_lines: SecondaryMap<Inst, usize>,
    /// Line of each region's terminator.
    pub end_lines: SecondaryMap<Region, usize>,
}

/// Reads a function, which may break every rule but that values are defined once.
///
/// # Errors
/// The first place where the text is not of the form.
pub fn parse(text: &str) -> Result<Func> {
    parse_with_lines(text).map(|parsed| parsed.func)
}

/// As [`parse`], and tells where the pieces stand.
///
/// # Errors
/// The first place where the text is not of the form.
pub fn parse_with_lines(text: &str) -> Result<Parsed> {
    let mut parser = Parser {
        tokens: lex(text)?,
        at: 0,
        parsed: Parsed {
            func: Func::new(""),
            inst_lines: SecondaryMap::new(0),
            end_lines: SecondaryMap::new(0),
        },
        names: HashMap::new(),
        depth: 0,
    };
    parser.func()?;
    Ok(parser.parsed)
}

/// The NaN that the text form calls `nan`.
pub(super) fn plain_nan(dtype: DType) -> Const {
    from_f64(dtype, f64::from_bits(0x7ff8_0000_0000_0000))
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A name, keyword or number.
    Word(String),
    Text(String),
    Mark(char),
    End,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Word(word) => write!(f, "`{word}`"),
            Token::Text(text) => write!(f, "\"{text}\""),
            Token::Mark(mark) => write!(f, "`{mark}`"),
            Token::End => f.write_str("the end"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Position {
    line: usize,
    column: usize,
}

impl Position {
    fn error(self, message: String) -> ParseError {
        ParseError {
            line: self.line,
            column: self.column,
            message,
        }
    }
}

fn lex(text: &str) -> Result<Vec<(Token, Position)>> {
    let mut tokens = Vec::new();
    let mut place = Position { line: 1, column: 1 };
    for (index, line) in text.lines().enumerate() {
        let mut chars = line.chars().enumerate().peekable();
        while let Some(&(column, c)) = chars.peek() {
            place = Position {
                line: index + 1,
                column: column + 1,
            };
            match c {
                ';' => break,
                c if c.is_whitespace() => {
                    chars.next();
                }
                '(' | ')' | '{' | '}' | ',' | ':' | '=' => {
                    chars.next();
                    tokens.push((Token::Mark(c), place));
                }
                '"' => {
                    chars.next();
                    let mut rest = chars.by_ref().map(|(_, c)| c);
                    tokens.push((Token::Text(string(&mut rest, place)?), place));
                }
                c if is_word_char(c) => {
                    let mut word = String::new();
                    while let Some((_, c)) = chars.next_if(|(_, c)| is_word_char(*c)) {
                        word.push(c);
                    }
                    tokens.push((Token::Word(word), place));
                }
                _ => return Err(place.error(format!("unexpected character `{c}`"))),
            }
        }
        place.column = line.chars().count() + 1;
    }
    tokens.push((Token::End, place));
    Ok(tokens)
}

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+' | '-' | '>')
}

/// The rest of a string after its opening quote.
fn string(chars: &mut impl Iterator<Item = char>, start: Position) -> Result<String> {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok(text),
            '\\' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some(c @ ('"' | '\\')) => text.push(c),
                _ => return Err(start.error("the string has an unknown escape".to_string())),
            },
            _ => text.push(c),
        }
    }
    Err(start.error("the string does not end".to_string()))
}

/// What is known about a name.
struct Named {
    value: Value,
    defined: bool,
    first_use: Position,
}

struct Parser {
    tokens: Vec<(Token, Position)>,
    at: usize,
    parsed: Parsed,
    names: HashMap<String, Named>,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn place(&self) -> Position {
        self.tokens[self.at].1
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        // The end stays where it is.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn expected<T>(&self, what: &str) -> Result<T> {
        let message = format!("expected {what}, found {}", self.peek());
        Err(self.place().error(message))
    }

    fn eat(&mut self, mark: char) -> bool {
        let found = *self.peek() == Token::Mark(mark);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, mark: char) -> Result<()> {
        match self.eat(mark) {
            true => Ok(()),
            false => self.expected(&format!("`{mark}`")),
        }
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Word(w) if w == word);
        if found {
            self.next();
        }
        found
    }

    fn expect_word(&mut self, word: &str) -> Result<()> {
        match self.eat_word(word) {
            true => Ok(()),
            false => self.expected(&format!("`{word}`")),
        }
    }

    fn word(&mut self, what: &str) -> Result<String> {
        match self.peek() {
            Token::Word(word) => {
                let word = word.clone();
                self.next();
                Ok(word)
            }
            Token::Text(_) | Token::Mark(_) | Token::End => self.expected(what),
        }
    }

    /// A word or a string.
    fn name(&mut self) -> Result<String> {
        match self.peek() {
            Token::Text(text) => {
                let text = text.clone();
                self.next();
                Ok(text)
            }
            Token::Word(_) | Token::Mark(_) | Token::End => self.word("a name"),
        }
    }

    fn dtype(&mut self) -> Result<DType> {
        let found = match self.peek() {
            Token::Word(word) => DType::from_name(word),
            Token::Text(_) | Token::Mark(_) | Token::End => None,
        };
        match found {
            Some(dtype) => {
                self.next();
                Ok(dtype)
            }
            None => self.expected("a dtype"),
        }
    }

    /// Items between parentheses, with commas between them.
    fn parenthesized<T>(&mut self, item: fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect('(')?;
        let mut items = Vec::new();
        if self.eat(')') {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if !self.eat(',') {
                self.expect(')')?;
                return Ok(items);
            }
        }
    }

    fn func(&mut self) -> Result<()> {
        self.attrs()?;
        self.expect_word("func")?;
        self.parsed.func.name = self.name()?;
        let body = self.parsed.func.body;
        self.expect('(')?;
        while !self.eat(')') {
            self.param(body)?;
            if !self.eat(',') {
                self.expect(')')?;
                break;
            }
        }
        self.expect_word("->")?;
        self.parsed.func.results = self.parenthesized(Self::dtype)?;
        self.block(body)?;
        if *self.peek() != Token::End {
            return self.expected("the end");
        }
        let undefined = self.names.iter().filter(|(_, named)| !named.defined);
        // The first in the text, so that the message does not depend on the order of a map.
        let first = undefined.min_by_key(|(_, n)| (n.first_use.line, n.first_use.column));
        match first {
            Some((name, named)) => {
                let message = format!("`{name}` is not defined anywhere");
                Err(named.first_use.error(message))
            }
            None => Ok(()),
        }
    }

    fn attrs(&mut self) -> Result<()> {
        loop {
            if self.eat_word("doc") {
                let Token::Text(doc) = self.peek().clone() else {
                    return self.expected("a string");
                };
                self.next();
                self.parsed.func.attrs.doc = doc;
            } else if self.eat_word("fast_math") {
                self.parsed.func.attrs.fast_math = true;
            } else if self.eat_word("identity") {
                // The dtype stands after the value that it explains.
                let start = self.at;
                self.skip_constant();
                self.expect(':')?;
                let dtype = self.dtype()?;
                let end = std::mem::replace(&mut self.at, start);
                let value = self.constant(dtype)?;
                self.at = end;
                self.parsed.func.attrs.identity = Some(value);
            } else {
                return Ok(());
            }
        }
    }

    fn skip_constant(&mut self) {
        while !matches!(self.peek(), Token::Mark(':') | Token::End) {
            self.next();
        }
    }

    fn param(&mut self, body: Region) -> Result<()> {
        let place = self.place();
        let value_name = self.word("a name")?;
        let param_name = match self.peek() {
            Token::Mark(':') => value_name.clone(),
            _ => self.name()?,
        };
        self.expect(':')?;
        let dtype = self.dtype()?;
        self.parsed.func.param_names.push(param_name);
        self.add_param(body, &value_name, dtype, place)
    }

    fn add_param(
        &mut self,
        region: Region,
        name: &str,
        dtype: DType,
        place: Position,
    ) -> Result<()> {
        let index = self.parsed.func.regions[region].params.len();
        let def = ValueDef::Param(region, index);
        let value = self.define(name, ValueData { dtype, def }, place)?;
        self.parsed.func.regions[region].params.push(value);
        Ok(())
    }

    fn define(&mut self, name: &str, data: ValueData, place: Position) -> Result<Value> {
        if KEYWORDS.contains(&name) || name.starts_with(|c: char| !c.is_alphabetic() && c != '_') {
            return Err(place.error(format!("`{name}` cannot name a value")));
        }
        let func = &mut self.parsed.func;
        let named = self.names.entry(name.to_string()).or_insert_with(|| Named {
            value: func.values.push(data),
            defined: false,
            first_use: place,
        });
        if std::mem::replace(&mut named.defined, true) {
            return Err(place.error(format!("`{name}` is defined twice")));
        }
        func.values[named.value] = data;
        Ok(named.value)
    }

    /// A value, which may be defined further down: whether it may be used here is for the verifier to say.
    fn value(&mut self) -> Result<Value> {
        let place = self.place();
        let name = self.word("a value")?;
        let unknown = ValueData {
            dtype: DType::Bool,
            def: ValueDef::Param(Region::new(0), usize::MAX),
        };
        let func = &mut self.parsed.func;
        let named = self.names.entry(name).or_insert_with(|| Named {
            value: func.values.push(unknown),
            defined: false,
            first_use: place,
        });
        Ok(named.value)
    }

    fn block(&mut self, region: Region) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            let message = format!("regions nest deeper than {MAX_NESTING}");
            return Err(self.place().error(message));
        }
        self.expect('{')?;
        loop {
            let line = self.place().line;
            let end = if self.eat_word("yield") {
                Some(Terminator::Yield(self.yielded()?))
            } else if self.eat_word("continue_if") {
                let cond = self.value()?;
                let next = self.parenthesized(Self::value)?;
                self.expect_word("else")?;
                let results = self.parenthesized(Self::value)?;
                Some(Terminator::ContinueIf {
                    cond,
                    next,
                    results,
                })
            } else {
                None
            };
            if let Some(end) = end {
                self.parsed.func.regions[region].end = end;
                self.parsed.end_lines.set(region, line);
                break;
            }
            let inst = self.inst(line)?;
            self.parsed.func.regions[region].insts.push(inst);
        }
        self.depth -= 1;
        self.expect('}')
    }

    fn yielded(&mut self) -> Result<Vec<Value>> {
        let mut values = Vec::new();
        if matches!(self.peek(), Token::Word(_)) {
            values.push(self.value()?);
            while self.eat(',') {
                values.push(self.value()?);
            }
        }
        Ok(values)
    }

    fn inst(&mut self, line: usize) -> Result<Inst> {
        // Made first, so that its results can name it; what it is follows.
        let inst = self.parsed.func.insts.push(InstData {
            kind: InstKind::Index(None),
            args: Vec::new(),
            results: Vec::new(),
        });
        self.parsed.inst_lines.set(inst, line);
        let has_regions = |word: &str| word == "if" || word == "loop";
        if !matches!(self.peek(), Token::Word(word) if has_regions(word)) {
            self.results(inst)?;
        }
        let (kind, args) = self.operation(inst)?;
        let data = &mut self.parsed.func.insts[inst];
        (data.kind, data.args) = (kind, args);
        Ok(inst)
    }

    fn results(&mut self, inst: Inst) -> Result<()> {
        for index in 0.. {
            let place = self.place();
            let name = self.word("an instruction")?;
            self.expect(':')?;
            let dtype = self.dtype()?;
            let def = ValueDef::Result(inst, index);
            let value = self.define(&name, ValueData { dtype, def }, place)?;
            self.parsed.func.insts[inst].results.push(value);
            if !self.eat(',') {
                break;
            }
        }
        self.expect('=')
    }

    /// What an instruction is, after its results.
    fn operation(&mut self, inst: Inst) -> Result<(InstKind, Vec<Value>)> {
        let place = self.place();
        let word = self.word("an operation")?;
        match word.as_str() {
            "const" => {
                let result = self.parsed.func.insts[inst].results[0];
                let dtype = self.parsed.func.dtype(result);
                Ok((InstKind::Const(self.constant(dtype)?), Vec::new()))
            }
            "index" => Ok((InstKind::Index(self.axis()?), Vec::new())),
            "if" => {
                let cond = self.value()?;
                let then_region = self.parsed.func.add_region();
                self.block(then_region)?;
                self.expect_word("else")?;
                let else_region = self.parsed.func.add_region();
                self.block(else_region)?;
                let kind = InstKind::If {
                    then_region,
                    else_region,
                };
                Ok((kind, vec![cond]))
            }
            "loop" => {
                let body = self.parsed.func.add_region();
                let init = self.carried(body)?;
                self.block(body)?;
                Ok((InstKind::Loop { body }, init))
            }
            name => {
                let core = Op::from_name(name).map(InstKind::Op);
                let kind = core.or_else(|| MathFn::from_id(name).map(InstKind::Math));
                let Some(kind) = kind else {
                    return Err(place.error(format!("there is no operation `{name}`")));
                };
                Ok((kind, self.yielded()?))
            }
        }
    }

    fn axis(&mut self) -> Result<Option<u8>> {
        let Token::Word(word) = self.peek() else {
            return Ok(None);
        };
        if !word.starts_with(|c: char| c.is_ascii_digit()) {
            return Ok(None);
        }
        match word.parse() {
            Ok(axis) => {
                self.next();
                Ok(Some(axis))
            }
            Err(_) => self.expected("an axis below 256"),
        }
    }

    fn carried(&mut self, body: Region) -> Result<Vec<Value>> {
        self.expect('(')?;
        let mut init = Vec::new();
        while !self.eat(')') {
            let place = self.place();
            let name = self.word("a name")?;
            self.expect(':')?;
            let dtype = self.dtype()?;
            self.add_param(body, &name, dtype, place)?;
            self.expect('=')?;
            init.push(self.value()?);
            if !self.eat(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(init)
    }

    fn constant(&mut self, dtype: DType) -> Result<Const> {
        if dtype.is_complex() && self.eat('(') {
            let re = self.constant(dtype.part())?;
            self.expect(',')?;
            let im = self.constant(dtype.part())?;
            self.expect(')')?;
            return match Const::complex(re, im) {
                Some(value) => Ok(value),
                None => self.expected("a complex dtype"),
            };
        }
        let place = self.place();
        let word = self.word("a constant")?;
        literal(&word, dtype).ok_or_else(|| place.error(format!("`{word}` is not a {dtype}")))
    }
}

/// The constant that a word means.
fn literal(word: &str, dtype: DType) -> Option<Const> {
    if let Some(hex) = word.strip_prefix("0x") {
        let bits = u128::from_str_radix(hex, 16).ok()?;
        let value = Const::from_bits(dtype, bits);
        return (value.bits() == bits).then_some(value);
    }
    match dtype.kind() {
        Kind::Bool => word.parse().ok().map(Const::bool),
        Kind::Signed | Kind::Unsigned => {
            let int: i128 = word.parse().ok()?;
            let value = Const::int(dtype, int);
            (value.as_int() == int).then_some(value)
        }
        Kind::Float => match (word, dtype) {
            ("nan", _) => Some(plain_nan(dtype)),
            // Read as the dtype itself, so that it is rounded once.
            (_, DType::F32) => word.parse().ok().map(Const::f32),
            _ => word.parse().ok().map(|x| from_f64(dtype, x)),
        },
        Kind::Complex => None,
    }
}
