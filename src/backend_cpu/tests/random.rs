//! Random functions, with control flow, of the operations that are native here.

use super::{check, code, legal, levels, options, random_layouts};
use crate::CpuBackend;
use ufc_ir::Func;
use ufc_ir::testing::{Config, Rng, for_seeds, random_func};
use ufc_target::{Backend, Legal};

/// A random function that needs no expansions; none if it came out otherwise.
fn native(seed: u64, config: &Config) -> Option<Func> {
    let func = random_func(seed, config);
    Legal::try_new(func.clone(), CpuBackend.legality(None)).ok()?;
    Some(func)
}

#[test]
fn random_functions_give_the_interpreters_bits() {
    use ufc_ir::DType::{Bool, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
    let sets = [
        vec![F32, U32],
        vec![F64, I64],
        vec![Bool, U8, I16, I32],
        vec![Bool, U8, I8],
        vec![Bool, U8, I8, U16, I16],
        vec![F32, F64, I8, U16, U64, I64],
    ];
    let tried = std::sync::atomic::AtomicUsize::new(0);
    for_seeds(60, &[8826751701196202144], |seed| {
        let mut rng = Rng::new(seed);
        for dtypes in &sets {
            let config = Config {
                dtypes: dtypes.iter().copied().collect(),
                size: 10 + rng.below(50),
                ..Config::default()
            };
            let Some(func) = native(rng.bits(), &config) else {
                continue;
            };
            tried.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let legal = legal(func);
            let level = rng.choose(&levels());
            let interleave = rng.choose(&[None, Some(1), Some(2), Some(4)]);
            let params = legal.func().params();
            let uniform: Vec<usize> = (0..params.len())
                .filter(|i| {
                    let complex = legal.func().dtype(params[*i]).is_complex();
                    rng.one_in(4) && !complex
                })
                .collect();
            let code = code(&legal, &options(level, interleave), &uniform);
            for _ in 0..3 {
                let mut layouts = random_layouts(&mut rng, legal.func());
                for i in &uniform {
                    layouts[*i].step = 0;
                }
                let n = rng.below(50);
                check(legal.func(), &code, n, &layouts, &mut rng, "random");
            }
        }
    });
    let tried = tried.into_inner();
    assert!(tried > 20, "only {tried} functions were native");
}
