//! Text that nobody would write: it gives findings or a kernel, in good time, and never a panic or an overflow.

use std::panic::catch_unwind;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use ufc::{Error, Module, Target, dispatch};
use ufc_ir::testing::Rng;
use ufc_target::CompileOptions;

use crate::harness::{files, root};

/// How long a hostile text may take, with room for slow and busy machines; an optimized build takes a second or two.
const LIMIT: Duration = Duration::from_secs(20);

/// Pieces that token soup is made of.
const PIECES: &[&str] = &[
    "fn",
    "pub",
    "let",
    "mut",
    "if",
    "else",
    "while",
    "loop",
    "for",
    "in",
    "break",
    "continue",
    "return",
    "as",
    "const",
    "match",
    "true",
    "false",
    "f",
    "x",
    "y",
    "T",
    "Float",
    "f32",
    "u8",
    "c64",
    "bool",
    "index",
    "sqrt",
    "max",
    "_",
    "'a",
    "'a:",
    "0",
    "1",
    "255u8",
    "1.5",
    "1e999",
    "0x",
    "0b12",
    "1u7",
    "9999999999999999999999",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "<",
    ">",
    "<<",
    ">>=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "&",
    "&&",
    "|",
    "||",
    "^",
    "!",
    "=",
    "==",
    "!=",
    "<=",
    "->",
    "=>",
    "::",
    ".",
    "..",
    "..=",
    ",",
    ";",
    ":",
    "#",
    "#[test_case(1 => 2)]",
    "#[bench(x = 1)]",
    "#[identity(0)]",
    "//",
    "/*",
    "*/",
    "///",
    "\"",
    "'",
    "\\",
    "\n",
    "é",
    "≤",
    "\u{0}",
    "\u{202e}",
    "🦀",
];

/// A hostile text, made from a size.
struct Hostile {
    name: &'static str,
    text: fn() -> String,
}

fn kernel(body: &str) -> String {
    format!("pub fn f(x: f32) -> f32 {{ {body} }}")
}

fn around(open: &str, middle: &str, close: &str, n: usize) -> String {
    kernel(&format!("{}{middle}{}", open.repeat(n), close.repeat(n)))
}

/// Texts that are too long, too deep or too wide.
const HOSTILE: &[Hostile] = &[
    Hostile {
        name: "parentheses",
        text: || around("(", "x", ")", 100_000),
    },
    Hostile {
        name: "braces",
        text: || around("{", "x", "}", 100_000),
    },
    Hostile {
        name: "minuses",
        text: || around("-", "x", "", 100_000),
    },
    Hostile {
        name: "not",
        text: || around("!", "x", "", 100_000),
    },
    Hostile {
        name: "open_parentheses",
        text: || around("(", "x", "", 100_000),
    },
    Hostile {
        name: "closing_parentheses",
        text: || around("", "x", ")", 100_000),
    },
    Hostile {
        name: "flat_sum",
        text: || kernel(&vec!["x"; 100_000].join(" + ")),
    },
    Hostile {
        name: "flat_comparisons",
        text: || kernel(&vec!["x"; 100_000].join(" < ")),
    },
    Hostile {
        name: "flat_and",
        text: || {
            kernel(&format!(
                "if {} {{ x }} else {{ -x }}",
                vec!["x > 0.0"; 50_000].join(" && ")
            ))
        },
    },
    Hostile {
        name: "flat_or_of_calls",
        text: || kernel(&format!("x{}", " + sin(x)".repeat(20_000))),
    },
    Hostile {
        name: "casts",
        text: || kernel(&format!("x{}", " as f32".repeat(100_000))),
    },
    Hostile {
        name: "methods",
        text: || kernel(&format!("x{}", ".abs()".repeat(100_000))),
    },
    Hostile {
        name: "fields",
        text: || kernel(&format!("x{}", ".re".repeat(100_000))),
    },
    Hostile {
        name: "calls",
        text: || around("abs(", "x", ")", 100_000),
    },
    Hostile {
        name: "else_ifs",
        text: || {
            kernel(&format!(
                "if x > 0.0 {{ 1.0 }}{} else {{ 2.0 }}",
                " else if x > 1.0 { 3.0 }".repeat(100_000)
            ))
        },
    },
    Hostile {
        name: "nested_ifs",
        text: || around("if x > 0.0 {", "x", "} else { 1.0 }", 100_000),
    },
    Hostile {
        name: "some_nested_ifs",
        text: || around("if x > 0.0 {", "x", "} else { 1.0 }", 150),
    },
    Hostile {
        name: "nested_loops",
        text: || around("loop { break ", "x", "}", 100_000),
    },
    Hostile {
        name: "some_nested_loops",
        text: || around("loop { break ", "x", "; }", 60),
    },
    Hostile {
        name: "statements",
        text: || {
            kernel(&format!(
                "let mut y = x; {} y",
                "y = y * x + 1.0;\n".repeat(100_000)
            ))
        },
    },
    Hostile {
        name: "bindings",
        text: || {
            kernel(&format!(
                "{} x",
                (0..100_000)
                    .map(|i| format!("let v{i} = x;"))
                    .collect::<String>()
            ))
        },
    },
    Hostile {
        name: "ifs_in_a_row",
        text: || {
            kernel(&format!(
                "let mut y = x; {} y",
                "if y > 1.0 { y = y - 1.0; }\n".repeat(20_000)
            ))
        },
    },
    Hostile {
        name: "returns_in_a_row",
        text: || {
            kernel(&format!(
                "{} x",
                "if x > 1.0 { return 0.0; }\n".repeat(5_000)
            ))
        },
    },
    Hostile {
        name: "digits",
        text: || kernel(&"7".repeat(1_000_000)),
    },
    Hostile {
        name: "decimals",
        text: || kernel(&format!("0.{}", "7".repeat(1_000_000))),
    },
    Hostile {
        name: "exponent",
        text: || kernel(&format!("1e{}", "9".repeat(1_000_000))),
    },
    Hostile {
        name: "name",
        text: || kernel(&"n".repeat(1_000_000)),
    },
    Hostile {
        name: "parameters",
        text: || {
            let params: Vec<String> = (0..10_000).map(|i| format!("p{i}: f32")).collect();
            format!("pub fn f({}) -> f32 {{ p0 }}", params.join(", "))
        },
    },
    Hostile {
        name: "results",
        text: || {
            format!(
                "pub fn f(x: f32) -> ({}) {{ ({}) }}",
                "f32, ".repeat(10_000),
                "x, ".repeat(10_000)
            )
        },
    },
    Hostile {
        name: "tuple_types",
        text: || {
            format!(
                "pub fn f(x: {}f32{}) -> f32 {{ 0.0 }}",
                "(".repeat(100_000),
                ",)".repeat(100_000)
            )
        },
    },
    Hostile {
        name: "patterns",
        text: || {
            kernel(&format!(
                "let {}y{} = x; y",
                "(".repeat(100_000),
                ")".repeat(100_000)
            ))
        },
    },
    Hostile {
        name: "generics",
        text: || format!("fn f{}", "<T: Float".repeat(100_000)),
    },
    Hostile {
        name: "paths",
        text: || kernel(&format!("x{}", "::x".repeat(100_000))),
    },
    Hostile {
        name: "attributes",
        text: || {
            format!(
                "{}{}",
                "#[test_case(1.0 => 1.0)]\n".repeat(10_000),
                kernel("x")
            )
        },
    },
    Hostile {
        name: "constants",
        text: || {
            let chain: String = (1..10_000)
                .map(|i| format!("const C{i}: f32 = C{} + 1.0;\n", i - 1))
                .collect();
            format!("const C0: f32 = 0.0;\n{chain}{}", kernel("x + C9999"))
        },
    },
    Hostile {
        name: "helper_chain",
        text: || {
            let chain: String = (1..10_000)
                .map(|i| format!("fn h{i}(x: f32) -> f32 {{ h{}(x) + 1.0 }}\n", i - 1))
                .collect();
            format!(
                "fn h0(x: f32) -> f32 {{ x }}\n{chain}{}",
                kernel("h9999(x)")
            )
        },
    },
    Hostile {
        name: "helper_doubling",
        text: || {
            let chain: String = (1..60)
                .map(|i| {
                    format!(
                        "fn h{i}(x: f32) -> f32 {{ h{0}(x) + h{0}(x * 2.0) }}\n",
                        i - 1
                    )
                })
                .collect();
            format!("fn h0(x: f32) -> f32 {{ x }}\n{chain}{}", kernel("h59(x)"))
        },
    },
    Hostile {
        name: "recursion",
        text: || kernel("f(x)"),
    },
    Hostile {
        name: "recursion_ring",
        text: || {
            let ring: String = (0..1_000)
                .map(|i| format!("fn h{i}(x: f32) -> f32 {{ h{}(x) }}\n", (i + 1) % 1_000))
                .collect();
            format!("{ring}{}", kernel("h0(x)"))
        },
    },
    Hostile {
        name: "comment",
        text: || format!("{}{}", "/*".repeat(100_000), kernel("x")),
    },
    Hostile {
        name: "spaces",
        text: || " \n".repeat(40_000_000),
    },
    Hostile {
        name: "nothing_known",
        text: || "\u{1}".repeat(1_000_000),
    },
    Hostile {
        name: "labels",
        text: || around("'a: loop { break 'a ", "x", "; }", 10_000),
    },
];

/// Every robustness test.
pub(super) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("robust/token_soup", token_soup),
        Trial::test("robust/mutations", mutations),
    ];
    for hostile in HOSTILE {
        trials.push(Trial::test(format!("robust/{}", hostile.name), || {
            survives(&(hostile.text)())
        }));
    }
    trials
}

/// A text must be refused or compiled within the limit.
fn survives(text: &str) -> Result<(), Failed> {
    let start = Instant::now();
    let outcome = match compile(text) {
        Ok(()) => "compiled".to_string(),
        Err(Error::Source(error)) => format!("{} findings", error.diagnostics.len()),
        Err(error) => return Err(format!("neither compiled nor refused: {error}").into()),
    };
    let took = start.elapsed();
    if took > LIMIT {
        return Err(format!("{outcome}, but after {took:?}").into());
    }
    Ok(())
}

/// Takes a text through every stage.
fn compile(text: &str) -> Result<(), Error> {
    let module = Module::from_source("hostile.ufk", text)?;
    let choice = dispatch::choose(&Target::CPU)?;
    for kernel in module.kernels() {
        if kernel.generics.is_empty() {
            ufc::pipeline::compile(
                &module,
                &kernel.name,
                &[],
                choice.backend,
                &CompileOptions::default(),
            )?;
        }
    }
    Ok(())
}

fn token_soup() -> Result<(), Failed> {
    for seed in super::seeds()
        .into_iter()
        .flat_map(|seed| (0..20).map(move |i| seed.wrapping_mul(31) + i))
    {
        let mut rng = Rng::new(seed);
        let mut text = if rng.one_in(2) {
            "pub fn f(x: f32) -> f32 { ".to_string()
        } else {
            String::new()
        };
        for _ in 0..rng.below(60) {
            text.push_str(rng.choose(PIECES));
            if !rng.one_in(4) {
                text.push(' ');
            }
        }
        no_panic(seed, &text)?;
    }
    Ok(())
}

fn mutations() -> Result<(), Failed> {
    let sources: Vec<String> = ["kernels/examples", "src/math"]
        .iter()
        .flat_map(|folder| files(&root().join(folder)))
        .filter(|path| path.extension().is_some_and(|extension| extension == "ufk"))
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .collect();
    for seed in super::seeds()
        .into_iter()
        .flat_map(|seed| (0..8).map(move |i| seed.wrapping_mul(31) + i))
    {
        let mut rng = Rng::new(seed);
        let mut words: Vec<String> = split(&sources[rng.below(sources.len())]);
        for _ in 0..1 + rng.below(4) {
            mutate(&mut rng, &mut words);
        }
        no_panic(seed, &words.concat())?;
    }
    Ok(())
}

/// A text as words, signs and spaces.
fn split(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut last = false;
    for c in text.chars() {
        let is_word = c.is_alphanumeric() || c == '_';
        match words.last_mut() {
            Some(word) if is_word && last => word.push(c),
            _ => words.push(c.to_string()),
        }
        last = is_word;
    }
    words
}

fn mutate(rng: &mut Rng, words: &mut Vec<String>) {
    if words.is_empty() {
        return;
    }
    let (at, other) = (rng.below(words.len()), rng.below(words.len()));
    match rng.below(5) {
        0 => drop(words.remove(at)),
        1 => words.insert(at, words[other].clone()),
        2 => words.swap(at, other),
        3 => words[at] = rng.choose(PIECES).to_string(),
        _ => words.truncate(at),
    }
}

fn no_panic(seed: u64, text: &str) -> Result<(), Failed> {
    let outcome = catch_unwind(|| match compile(text) {
        Ok(()) | Err(Error::Source(_)) => Ok(()),
        Err(error) => Err(error.to_string()),
    });
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("seed {seed}: {error}\n{text}").into()),
        Err(_) => Err(format!("seed {seed}: it panicked on:\n{text}").into()),
    }
}
