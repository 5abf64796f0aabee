//! The command line's flags, each declared once: parsing, help and completions derive from here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ufc::array::Casting;
use ufc::{DType, Target};

/// A compiler for universal functions: write the scalar function once, run it over arrays.
#[derive(Debug, Parser)]
#[command(name = "ufc", version, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
    /// When to use colours; NO_COLOR is honoured.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorWhen,
}

const AFTER_HELP: &str = "\
A kernel is named FILE, FILE:KERNEL or as an example, such as `mandelbrot`.

Inputs are NAME=VALUE with VALUE one of
  file.npy                           an array
  3.5   -7   true   1+2i             a number; it adapts to the kernel's dtype
  linspace(start, stop, n)           n numbers from start to stop, both included
  arange(n)  arange(start, stop[, step])
  random(n, seed[, low, high])       uniform numbers, the same ones everywhere
  full(n, value)
n may be a shape, as in random((3, 4), 1). A VALUE may end with `as DTYPE`, and before
that with an index that adds axes, as in linspace(0, 1, 5)[:,None] for a column.

Exit codes: 0 success, 1 error in the input, 2 wrong usage, 3 no suitable device,
101 bug in ufc, 130 interrupted.";

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal.
    Auto,
    /// Also in files and pipes.
    Always,
    /// Not at all.
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Call a kernel on arrays
    Run(Run),
    /// Evaluate an expression over arrays; its free names are the inputs
    Eval(Eval),
    /// Measure kernels on their workload and verify the results
    Bench(Bench),
    /// Draw a kernel's two-dimensional result as a PNG picture
    Render(Render),
    /// Report every mistake in kernel files and run their test cases
    Check(Check),
    /// Show a kernel at a stage of its compilation
    Emit(Emit),
    /// List the targets, each with its devices or why there are none
    Targets(Targets),
    /// List the operations, and what each target does with them
    Ops(Ops),
    /// Explain a diagnostic's code
    Explain(Explain),
    /// Measure a math function's error against exact results
    #[cfg(feature = "ulp")]
    Ulp(Ulp),
    /// Print a script that completes commands in a shell
    Completions(Completions),
}

/// How a call runs.
#[derive(Args, Clone, Debug)]
pub(crate) struct CallArgs {
    /// Where to run: auto, cpu, gpu, cuda, wgpu or interp, with `:DEVICE` where one is meant
    #[arg(long, env = "UFC_TARGET", default_value = "auto")]
    pub(crate) target: Target,
    /// Number of threads to use; all of the machine's if not given
    #[arg(long, env = "UFC_NUM_THREADS", value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Which conversions of inputs are allowed: no, equiv, safe, same_kind or unsafe
    #[arg(long, default_value = "same_kind", value_parser = casting)]
    pub(crate) casting: Casting,
    /// Let `auto` take a GPU whose floats may differ in the last places
    #[arg(long)]
    pub(crate) allow_approx: bool,
    /// What generators make for a parameter that takes several dtypes
    #[arg(long, value_parser = dtype)]
    pub(crate) dtype: Option<DType>,
}

/// `ufc run`.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// FILE, FILE:KERNEL or an example's name
    pub(crate) kernel: String,
    /// The inputs, NAME=VALUE each
    #[arg(value_name = "NAME=VALUE")]
    pub(crate) inputs: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) call: CallArgs,
}

/// Where results go.
#[derive(Args, Debug)]
pub(crate) struct OutputArgs {
    /// One .npy file per result; printed if not given
    #[arg(short, long, value_name = "FILE", num_args = 1..)]
    pub(crate) output: Vec<PathBuf>,
    /// Print the results as JSON
    #[arg(long, conflicts_with = "output")]
    pub(crate) json: bool,
    /// Say on stderr where the call ran and why, what was estimated and what it took
    #[arg(long, visible_alias = "explain")]
    pub(crate) plan: bool,
}

/// `ufc eval`.
#[derive(Args, Debug)]
pub(crate) struct Eval {
    /// The expression, such as 'sqrt(x*x + y*y)'
    #[arg(allow_hyphen_values = true)]
    pub(crate) expression: String,
    /// The inputs, NAME=VALUE each
    #[arg(value_name = "NAME=VALUE")]
    pub(crate) inputs: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) call: CallArgs,
}

/// `ufc bench`.
#[derive(Args, Debug)]
pub(crate) struct Bench {
    /// Kernels (FILE, FILE:KERNEL or an example's name), then inputs NAME=VALUE that replace those of the
    /// workload; `all` is every example
    #[arg(required = true, value_name = "KERNEL|NAME=VALUE")]
    pub(crate) words: Vec<String>,
    /// Targets to compare
    #[arg(long, env = "UFC_TARGET", value_delimiter = ',', default_value = "cpu")]
    pub(crate) target: Vec<Target>,
    /// Numbers of threads to compare
    #[arg(long, env = "UFC_NUM_THREADS", value_name = "N", value_delimiter = ',', value_parser = threads)]
    pub(crate) threads: Vec<usize>,
    /// About how many elements, in place of the workload's number
    #[arg(long, value_name = "N")]
    pub(crate) size: Option<usize>,
    /// How long to measure each row, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    pub(crate) time: f64,
    /// What generators make for a parameter that takes several dtypes
    #[arg(long, value_parser = dtype)]
    pub(crate) dtype: Option<DType>,
    /// Fail if a target is missing or a result is not verified
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print an array of objects
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ufc render`.
#[derive(Args, Debug)]
pub(crate) struct Render {
    /// FILE, FILE:KERNEL or an example's name
    pub(crate) kernel: String,
    /// Inputs that replace those of the kernel's workload, NAME=VALUE each
    #[arg(value_name = "NAME=VALUE")]
    pub(crate) inputs: Vec<String>,
    /// The PNG file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Colour map
    #[arg(long, value_enum, default_value = "dusk")]
    pub(crate) palette: PaletteName,
    /// How values become positions in the colour map
    #[arg(long, value_enum, default_value = "equalize")]
    pub(crate) scale: Scale,
    /// Show whole numbers as flat bands, not as slopes between contour lines
    #[arg(long)]
    pub(crate) bands: bool,
    /// Width of the picture in pixels; the height follows
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(crate) width: Option<u32>,
    /// Compute so many times as many rows and columns, and average
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub(crate) supersample: u8,
    #[command(flatten)]
    pub(crate) call: CallArgs,
}

/// Colour maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PaletteName {
    /// Night blue through ice and gold to black
    Dusk,
    /// Black through violet and orange to white
    Ember,
    /// Black, green and blue to yellow; even to the eye
    Viridis,
    /// Black through red to yellow; even to the eye
    Inferno,
    /// The rainbow, made even
    Turbo,
    /// Black to white
    Gray,
}

/// How values become positions in a colour map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scale {
    /// In proportion
    Linear,
    /// In proportion to the logarithm of the distance from the least
    Log,
    /// By rank, so that every colour covers about as much of the picture
    Equalize,
}

/// `ufc check`.
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// Kernel files or examples
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// Print diagnostics and test results as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ufc emit`.
#[derive(Args, Debug)]
pub(crate) struct Emit {
    /// FILE, FILE:KERNEL or an example's name
    pub(crate) kernel: String,
    /// The stage: tokens, ast, ir, opt, legal, spmd, or one of a target's own, such as asm, ptx, wgsl or spirv
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: String,
    /// A dtype for each type parameter of the kernel, in order
    #[arg(long, value_delimiter = ',', value_parser = dtype)]
    pub(crate) dtype: Vec<DType>,
    /// The target to compile for, which need not be there; if not given, the one that has the stage, else cpu
    #[arg(long, env = "UFC_TARGET")]
    pub(crate) target: Option<Target>,
    /// Write to a file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// `ufc targets`.
#[derive(Args, Debug)]
pub(crate) struct Targets {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Measure first what each device can do, and keep the figures for `auto`
    #[arg(long)]
    pub(crate) calibrate: bool,
}

/// `ufc ops`.
#[derive(Args, Debug)]
pub(crate) struct Ops {
    /// Operations to show in detail; all of them, a line each, if none is named
    pub(crate) names: Vec<String>,
    /// The target to show
    #[arg(long, env = "UFC_TARGET", default_value = "cpu")]
    pub(crate) target: Target,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ufc explain`.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The code, such as UFC0203; all are listed if none is given
    pub(crate) code: Option<String>,
}

/// `ufc ulp`.
#[cfg(feature = "ulp")]
#[derive(Args, Debug)]
pub(crate) struct Ulp {
    /// The functions, such as exp
    #[arg(required_unless_present = "all", value_name = "FUNCTION")]
    pub(crate) functions: Vec<String>,
    /// Every function; with --exhaustive, every one of one argument
    #[arg(long, conflicts_with = "functions")]
    pub(crate) all: bool,
    /// Targets: errors are measured on the first, and the others must give its bits
    #[arg(long, value_delimiter = ',', default_value = "cpu")]
    pub(crate) target: Vec<Target>,
    /// The dtype, f32 or f64
    #[arg(long, value_parser = dtype, default_value = "f32")]
    pub(crate) dtype: DType,
    /// Try every one of the 2^32 values of an f32 argument
    #[arg(long, conflicts_with = "every")]
    pub(crate) exhaustive: bool,
    /// Try every N-th value
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) every: Option<u32>,
    /// Number of threads to use
    #[arg(long, env = "UFC_NUM_THREADS", value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ufc completions`.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}

/// A dtype by the language's name or NumPy's.
pub(crate) fn dtype(text: &str) -> Result<DType, String> {
    let numpy = || DType::ALL.iter().copied().find(|d| d.numpy_name() == text);
    DType::from_name(text).or_else(numpy).ok_or_else(|| {
        let names: Vec<&str> = DType::ALL.iter().map(|d| d.name()).collect();
        format!("unknown dtype; dtypes are {}", names.join(", "))
    })
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=4096).contains(&n) => Ok(n),
        _ => Err("not a number from 1 to 4096".to_string()),
    }
}

fn casting(text: &str) -> Result<Casting, String> {
    text.parse::<Casting>().map_err(|error| error.to_string())
}
