//! Kernels against hand-written vector code for this processor: how far the compiler is from the limit.
//!
//! `cargo bench --bench limits` measures both in one run, in turns, on one thread, and prints the least times and their
//! ratios; words select rows by their names, and levels by `avx512`, `avx2` and `clif`, the last of which is 128 bits. First both sides' results are compared: to the bit where a row has no
//! math functions, else to within some units in the last place. Without `--bench`, as `cargo test` runs it, that is all.

#![expect(clippy::print_stdout, reason = "says what it found")]

#[cfg(not(target_arch = "x86_64"))]
fn main() {
    println!("the hand-written code is for x86-64: nothing to compare with");
}

#[cfg(target_arch = "x86_64")]
mod each;
#[cfg(target_arch = "x86_64")]
mod functions;
#[cfg(target_arch = "x86_64")]
mod loops;
#[cfg(target_arch = "x86_64")]
mod math;
#[cfg(target_arch = "x86_64")]
mod narrow;
#[cfg(target_arch = "x86_64")]
mod rows;
#[cfg(target_arch = "x86_64")]
mod simd;
#[cfg(target_arch = "x86_64")]
mod timing;

#[cfg(target_arch = "x86_64")]
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let is_measured = args.iter().any(|arg| arg == "--bench");
    let words: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    // The device of the kernels has vectors as wide as the hand-written code.
    let levels = [
        simd::Avx512::detect().map(|s| level("avx512", s, is_measured, &words)),
        simd::Avx2::detect().map(|s| level("avx2", s, is_measured, &words)),
        simd::Xmm::detect().map(|s| level("clif", s, is_measured, &words)),
    ];
    if levels.iter().all(Option::is_none) {
        println!(
            "this processor has neither AVX2 nor AVX-512, for which the hand-written code is: nothing to compare with"
        );
    }
}

#[cfg(target_arch = "x86_64")]
fn level(
    name: &'static str,
    s: impl simd::Enter + functions::Functions,
    is_measured: bool,
    words: &[&str],
) {
    let mut table = timing::Table::new(name, is_measured, words);
    if table.is_selected() {
        rows::loops(&mut table, s);
        rows::math(&mut table, s);
        table.finish();
    }
}
