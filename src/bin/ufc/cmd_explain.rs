//! `ufc explain`: the page of a diagnostic's code.

use ufc_lang::codes::Code;

use crate::args::Explain;
use crate::output::{Failure, Screen, table};

macro_rules! pages {
    ($($variant:ident $code:literal $summary:literal,)*) => {
        /// The page of a code.
        fn page(code: Code) -> &'static str {
            match code {
                $(Code::$variant => {
                    include_str!(concat!("../../../docs/errors/", $code, ".md"))
                })*
            }
        }
    };
}
ufc_lang::for_each_code!(pages);

pub(crate) fn run(screen: Screen, args: &Explain) -> Result<(), Failure> {
    let Some(name) = &args.code else {
        let row = |code: &Code| vec![code.name().to_string(), code.summary().to_string()];
        let rows = Code::ALL.iter().map(row).collect();
        return screen.line(table(&["code", "meaning"], &[], rows));
    };
    match Code::from_name(name) {
        Some(code) => screen.line(page(code).trim_end()),
        None => Err(Failure::user(format!(
            "there is no diagnostic `{name}`; `ufc explain` lists them"
        ))),
    }
}
