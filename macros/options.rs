//! What stands in the parentheses of `#[vectorize(…)]`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use ufc_ir::{DType, Wgsl};
use ufc_lang::Code;
use ufc_lang::resolve::{suggest, suggest_type};
use ufc_lang::token::TokenKind;

use crate::report::Mistake;
use crate::tokens::{Tok, matching};

/// The words for targets, Numba's among them, and the constant of `ufc::Target` that each means.
const TARGETS: &[(&str, &str)] = &[
    ("auto", "AUTO"),
    ("cpu", "CPU"),
    ("parallel", "CPU"),
    ("gpu", "GPU"),
    ("cuda", "CUDA"),
    ("wgpu", "WGPU"),
];

/// The options, each with the form in which it is given.
const OPTIONS: &[(&str, &str)] = &[
    ("target", "target = \"auto\""),
    ("name", "name = \"text\""),
    ("fast_math", "fast_math"),
    ("identity", "identity = 0"),
    ("cache", "cache = false"),
    ("types", "types(f32, f64)"),
    ("allow", "allow(shader_f64)"),
];

/// What the attribute says.
pub(crate) struct Options {
    /// The word for the target.
    pub(crate) target: &'static str,
    /// The name of the constant for it.
    pub(crate) target_const: &'static str,
    pub(crate) name: Option<String>,
    pub(crate) fast_math: Option<Span>,
    /// Whether compiled loops may be kept in the cache folder.
    pub(crate) cache: bool,
    /// The value's tokens.
    pub(crate) identity: Option<(Span, Vec<Tok>)>,
    /// The choices of the type parameters, each with its place; none if all that the bounds allow are wanted.
    pub(crate) types: Option<Vec<(Vec<DType>, Span)>>,
    /// Features that WGSL may ask of an adapter.
    pub(crate) allowed: Vec<&'static str>,
}

/// Reads the options; reports all that is wrong with them.
pub(crate) fn parse(toks: &[Tok]) -> (Options, Vec<Mistake>) {
    let mut options = Options {
        target: "auto",
        target_const: "AUTO",
        name: None,
        fast_math: None,
        cache: true,
        identity: None,
        types: None,
        allowed: Vec::new(),
    };
    let mut mistakes = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for part in split(toks) {
        let Some(first) = part.first() else { continue };
        let Some((word, form)) = OPTIONS.iter().find(|(word, _)| *word == first.text) else {
            mistakes.push(unknown(first));
            continue;
        };
        if seen.contains(word) {
            let message = format!("`{word}` is given twice");
            mistakes.push(Mistake::new(Code::BadAttribute, first.span, message));
            continue;
        }
        seen.push(word);
        if let Err(mistake) = options.set(word, form, part) {
            mistakes.push(mistake);
        }
    }
    (options, mistakes)
}

/// The stretches between commas outside brackets.
fn split(toks: &[Tok]) -> Vec<&[Tok]> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < toks.len() {
        match toks[at].kind {
            TokenKind::Comma => {
                parts.push(&toks[start..at]);
                at += 1;
                start = at;
            }
            kind if kind.closing().is_some() => at = matching(toks, at) + 1,
            _ => at += 1,
        }
    }
    parts.push(&toks[start..]);
    parts
}

fn unknown(first: &Tok) -> Mistake {
    let names: Vec<&str> = OPTIONS.iter().map(|(word, _)| *word).collect();
    let help = match suggest(&first.text, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", names.join(", ")),
    };
    let message = format!("`#[vectorize]` has no option `{}`", first.text);
    Mistake::new(Code::UnknownAttribute, first.span, message).help(help)
}

impl Options {
    /// What follows the kernel that the macro embeds.
    pub(crate) fn embedded(&self) -> TokenStream {
        match self.cache {
            true => TokenStream::new(),
            false => quote!(.without_cache()),
        }
    }

    fn set(&mut self, word: &str, form: &str, part: &[Tok]) -> Result<(), Mistake> {
        let first = &part[0];
        let bad = || {
            let message = format!("`{word}` is not given like this");
            Mistake::new(Code::BadAttribute, first.span, message).help(format!("write `{form}`"))
        };
        let value = match part.get(1).map(|tok| tok.kind) {
            Some(TokenKind::Eq) if part.len() > 2 => Some(&part[2..]),
            _ => None,
        };
        let list = match part.get(1).map(|tok| tok.kind) {
            Some(TokenKind::OpenParen) if matching(part, 1) == part.len() - 1 => {
                Some(&part[2..part.len() - 1])
            }
            _ => None,
        };
        match word {
            "target" => self.set_target(text(value).ok_or_else(bad)?)?,
            "name" => self.name = Some(text(value).ok_or_else(bad)?.0),
            "fast_math" if flag(part).ok_or_else(bad)? => self.fast_math = Some(first.span),
            "fast_math" => {}
            "cache" => self.cache = flag(part).ok_or_else(bad)?,
            "identity" => self.identity = Some((first.span, value.ok_or_else(bad)?.to_vec())),
            "types" => self.types = Some(types(list.ok_or_else(bad)?, first.span)?),
            _ => self.allowed = features(list.ok_or_else(bad)?)?,
        }
        Ok(())
    }

    fn set_target(&mut self, (word, span): (String, Span)) -> Result<(), Mistake> {
        let Some((word, target)) = TARGETS.iter().find(|(known, _)| *known == word) else {
            let words: Vec<String> = TARGETS
                .iter()
                .map(|(word, _)| format!("\"{word}\""))
                .collect();
            let near = suggest(&word, TARGETS.iter().map(|(word, _)| *word));
            let help = match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("targets are {}", words.join(", ")),
            };
            let message = format!("there is no target \"{word}\"");
            return Err(Mistake::new(Code::BadAttribute, span, message).help(help));
        };
        (self.target, self.target_const) = (word, target);
        Ok(())
    }
}

/// `"text"`.
fn text(value: Option<&[Tok]>) -> Option<(String, Span)> {
    match value? {
        [tok] if tok.kind == TokenKind::Str => {
            let text = tok.text.strip_prefix('"')?.strip_suffix('"')?;
            (!text.is_empty() && !text.contains('\\')).then(|| (text.to_string(), tok.span))
        }
        _ => None,
    }
}

/// `word`, `word = true` or `word = false`.
fn flag(part: &[Tok]) -> Option<bool> {
    match part {
        [_] => Some(true),
        [_, eq, value] if eq.kind == TokenKind::Eq => match value.kind {
            TokenKind::True => Some(true),
            TokenKind::False => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// `f32, f64`, or tuples of them for several type parameters.
fn types(list: &[Tok], place: Span) -> Result<Vec<(Vec<DType>, Span)>, Mistake> {
    let mut choices: Vec<(Vec<DType>, Span)> = Vec::new();
    for part in split(list) {
        let Some(first) = part.first() else { continue };
        let names = match first.kind {
            TokenKind::OpenParen if matching(part, 0) == part.len() - 1 => {
                split(&part[1..part.len() - 1])
            }
            _ => vec![part],
        };
        let mut choice = Vec::new();
        for name in names.into_iter().filter(|name| !name.is_empty()) {
            choice.push(dtype(name)?);
        }
        if choices.iter().any(|(known, _)| *known == choice) {
            let message = "the same types are given twice";
            return Err(Mistake::new(Code::BadAttribute, first.span, message));
        }
        choices.push((choice, first.span));
    }
    match choices.is_empty() {
        true => Err(
            Mistake::new(Code::BadAttribute, place, "`types` has no types")
                .help("write `types(f32, f64)`"),
        ),
        false => Ok(choices),
    }
}

fn dtype(name: &[Tok]) -> Result<DType, Mistake> {
    if let [one] = name
        && let Some(dtype) = DType::from_name(&one.text)
    {
        return Ok(dtype);
    }
    let text: String = name.iter().map(|tok| tok.text.as_str()).collect();
    let mistake = Mistake::new(
        Code::UnknownType,
        name[0].span,
        format!("there is no type `{text}`"),
    );
    Err(match suggest_type(&text, std::iter::empty()) {
        Some(near) => mistake.help(format!("did you mean `{near}`?")),
        None => mistake,
    })
}

/// The features of adapters that some dtype needs, by wgpu's names.
fn known_features() -> Vec<&'static str> {
    let mut names: Vec<&str> = Vec::new();
    for dtype in DType::ALL {
        if let Wgsl::Feature(name) = dtype.wgsl()
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

fn features(list: &[Tok]) -> Result<Vec<&'static str>, Mistake> {
    let known = known_features();
    let mut features = Vec::new();
    for part in split(list) {
        let Some(first) = part.first() else { continue };
        let found = known
            .iter()
            .find(|name| part.len() == 1 && name.to_ascii_lowercase() == first.text);
        let Some(name) = found else {
            let names: Vec<String> = known.iter().map(|name| name.to_ascii_lowercase()).collect();
            let message = format!("no type needs a feature `{}`", first.text);
            let help = format!("there are {}", names.join(", "));
            return Err(Mistake::new(Code::BadAttribute, first.span, message).help(help));
        };
        features.push(*name);
    }
    Ok(features)
}
