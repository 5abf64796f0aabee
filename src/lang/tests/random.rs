//! Random control flow: programs that are run directly, as trees, and as kernels must give the same.

use super::{i32s, lower, run_func};
use std::fmt::Write;

/// Variables of a program: two parameters that may be assigned, and these.
const VARS: usize = 4;

enum Expr {
    Number(i32),
    Var(usize),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    /// A call of the helper with this number.
    Call(usize, Box<Expr>, Box<Expr>),
    /// A choice, whose arms may jump.
    If(Box<Expr>, Vec<Stmt>, Box<Expr>, Box<Expr>),
}

enum Stmt {
    Assign(usize, Expr),
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    /// Loop number, lower bound, upper bound, inclusive, reversed, step, body. The variable is `i<number>`.
    For(usize, Expr, Expr, bool, bool, Option<i32>, Vec<Stmt>),
    /// Loop number, turns at most, condition, body.
    While(usize, i32, Expr, Vec<Stmt>),
    Break(usize),
    Continue(usize),
    Return(Expr),
}

struct Random {
    state: u64,
    /// How many helpers may be called.
    helpers: usize,
}

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % n
    }

    fn expr(&mut self, depth: u32, loops: &[usize]) -> Expr {
        match self.below(if depth == 0 { 2 } else { 7 }) {
            0 => Expr::Number(self.below(12) as i32 - 4),
            1 => Expr::Var(self.below(VARS as u64) as usize),
            6 if self.helpers > 0 => {
                let helper = self.below(self.helpers as u64) as usize;
                let (a, b) = (self.expr(depth - 1, loops), self.expr(depth - 1, loops));
                Expr::Call(helper, Box::new(a), Box::new(b))
            }
            5 if depth > 1 => {
                let condition = self.condition(depth - 1, loops);
                let stmts = self.block(1, loops, 1);
                let (a, b) = (self.expr(depth - 1, loops), self.expr(depth - 1, loops));
                Expr::If(Box::new(condition), stmts, Box::new(a), Box::new(b))
            }
            _ => {
                let op = ["+", "-", "*", "/", "%", "&", "^"][self.below(7) as usize];
                Expr::Binary(
                    op,
                    Box::new(self.expr(depth - 1, loops)),
                    Box::new(self.expr(depth - 1, loops)),
                )
            }
        }
    }

    fn condition(&mut self, depth: u32, loops: &[usize]) -> Expr {
        let op = ["<", "<=", "==", "!=", ">"][self.below(5) as usize];
        let compare = |r: &mut Self| {
            Expr::Binary(
                op,
                Box::new(r.expr(depth.min(1), loops)),
                Box::new(r.expr(depth.min(1), loops)),
            )
        };
        match self.below(4) {
            0 if depth > 0 => {
                let op = ["&&", "||"][self.below(2) as usize];
                Expr::Binary(
                    op,
                    Box::new(compare(self)),
                    Box::new(self.condition(depth - 1, loops)),
                )
            }
            _ => compare(self),
        }
    }

    fn block(&mut self, depth: u32, loops: &[usize], most: u64) -> Vec<Stmt> {
        (0..=self.below(most))
            .map(|_| self.stmt(depth, loops))
            .collect()
    }

    fn stmt(&mut self, depth: u32, loops: &[usize]) -> Stmt {
        let jump = self.below(10);
        if jump == 0 {
            return Stmt::Return(self.expr(1, loops));
        }
        if jump < 4
            && let Some(target) = loops
                .len()
                .checked_sub(1 + self.below(loops.len().max(1) as u64) as usize)
        {
            return if jump == 1 {
                Stmt::Continue(loops[target])
            } else {
                Stmt::Break(loops[target])
            };
        }
        let inner = |number| loops.iter().copied().chain([number]).collect::<Vec<_>>();
        match self.below(if depth == 0 { 1 } else { 6 }) {
            1 | 2 => Stmt::If(
                self.condition(2, loops),
                self.block(depth - 1, loops, 3),
                if self.below(2) == 0 {
                    Vec::new()
                } else {
                    self.block(depth - 1, loops, 3)
                },
            ),
            3 => {
                let number = loops.len();
                let (start, end) = (self.expr(1, &[]), self.expr(1, &[]));
                let step = if self.below(2) == 0 {
                    None
                } else {
                    Some(self.below(3) as i32 + 1)
                };
                let body = self.block(depth - 1, &inner(number), 3);
                // Bounds are kept small by the printer and the direct run alike.
                Stmt::For(
                    number,
                    start,
                    end,
                    self.below(2) == 0,
                    self.below(2) == 0,
                    step,
                    body,
                )
            }
            4 => {
                let number = loops.len();
                let turns = self.below(6) as i32 + 1;
                Stmt::While(
                    number,
                    turns,
                    self.condition(1, loops),
                    self.block(depth - 1, &inner(number), 3),
                )
            }
            _ => Stmt::Assign(self.below(VARS as u64) as usize, self.expr(3, loops)),
        }
    }
}

fn show_expr(expr: &Expr, out: &mut String) {
    let _ = match expr {
        Expr::Number(n) => write!(out, "({n})"),
        Expr::Var(v) => write!(out, "v{v}"),
        Expr::Binary(op, a, b) => {
            out.push('(');
            show_expr(a, out);
            let _ = write!(out, " {op} ");
            show_expr(b, out);
            write!(out, ")")
        }
        Expr::Call(helper, a, b) => {
            let _ = write!(out, "h{helper}(");
            show_expr(a, out);
            out.push_str(", ");
            show_expr(b, out);
            write!(out, ")")
        }
        Expr::If(condition, stmts, a, b) => {
            out.push_str("(if ");
            show_expr(condition, out);
            out.push_str(" { ");
            show_block(stmts, out);
            show_expr(a, out);
            out.push_str(" } else { ");
            show_expr(b, out);
            write!(out, " }})")
        }
    };
}

fn show_block(stmts: &[Stmt], out: &mut String) {
    for stmt in stmts {
        let _ = match stmt {
            Stmt::Assign(v, value) => {
                let _ = write!(out, "v{v} = ");
                show_expr(value, out);
                writeln!(out, ";")
            }
            Stmt::If(condition, a, b) => {
                out.push_str("if ");
                show_expr(condition, out);
                out.push_str(" {\n");
                show_block(a, out);
                if !b.is_empty() {
                    out.push_str("} else {\n");
                    show_block(b, out);
                }
                writeln!(out, "}}")
            }
            Stmt::For(number, start, end, inclusive, reversed, step, body) => {
                let _ = write!(out, "'l{number}: for i{number} in ((");
                show_expr(start, out);
                let _ = write!(
                    out,
                    ").max(-3).min(3)..{}(",
                    if *inclusive { "=" } else { "" }
                );
                show_expr(end, out);
                out.push_str(").max(-4).min(6))");
                if *reversed {
                    out.push_str(".rev()");
                }
                if let Some(step) = step {
                    let _ = write!(out, ".step_by({step})");
                }
                let _ = writeln!(out, " {{\nv0 = v0 + i{number};");
                show_block(body, out);
                writeln!(out, "}}")
            }
            Stmt::While(number, turns, condition, body) => {
                let _ = write!(
                    out,
                    "let mut t{number} = 0;\n'l{number}: while t{number} < {turns} && "
                );
                show_expr(condition, out);
                let _ = writeln!(out, " {{\nt{number} += 1;");
                show_block(body, out);
                writeln!(out, "}}")
            }
            Stmt::Break(number) => writeln!(out, "break 'l{number};"),
            Stmt::Continue(number) => writeln!(out, "continue 'l{number};"),
            Stmt::Return(value) => {
                out.push_str("return ");
                show_expr(value, out);
                writeln!(out, ";")
            }
        };
    }
}

enum Jump {
    Break(usize),
    Continue(usize),
    Return(i32),
}

type Flow<T> = Result<T, Jump>;

fn run_expr(expr: &Expr, vars: &mut [i32; VARS], helpers: &[Vec<Stmt>]) -> Flow<i32> {
    Ok(match expr {
        Expr::Number(n) => *n,
        Expr::Var(v) => vars[*v],
        Expr::Binary("&&", a, b) => {
            i32::from(run_expr(a, vars, helpers)? != 0 && run_expr(b, vars, helpers)? != 0)
        }
        Expr::Binary("||", a, b) => {
            i32::from(run_expr(a, vars, helpers)? != 0 || run_expr(b, vars, helpers)? != 0)
        }
        Expr::Binary(op, a, b) => {
            let (a, b) = (run_expr(a, vars, helpers)?, run_expr(b, vars, helpers)?);
            match *op {
                "+" => a.wrapping_add(b),
                "-" => a.wrapping_sub(b),
                "*" => a.wrapping_mul(b),
                "/" => {
                    if b == 0 {
                        0
                    } else {
                        a.wrapping_div(b)
                    }
                }
                "%" => {
                    if b == 0 {
                        0
                    } else {
                        a.wrapping_rem(b)
                    }
                }
                "&" => a & b,
                "^" => a ^ b,
                "<" => i32::from(a < b),
                "<=" => i32::from(a <= b),
                "==" => i32::from(a == b),
                "!=" => i32::from(a != b),
                _ => i32::from(a > b),
            }
        }
        Expr::Call(helper, a, b) => {
            let (a, b) = (run_expr(a, vars, helpers)?, run_expr(b, vars, helpers)?);
            run_program(&helpers[*helper], helpers, a, b)
        }
        Expr::If(condition, stmts, a, b) => {
            if run_expr(condition, vars, helpers)? != 0 {
                run_block(stmts, vars, helpers)?;
                run_expr(a, vars, helpers)?
            } else {
                run_expr(b, vars, helpers)?
            }
        }
    })
}

fn run_block(stmts: &[Stmt], vars: &mut [i32; VARS], helpers: &[Vec<Stmt>]) -> Flow<()> {
    stmts
        .iter()
        .try_for_each(|stmt| run_stmt(stmt, vars, helpers))
}

/// What a loop does after a turn: on with the next one, or out.
fn after_turn(flow: Flow<()>, number: usize) -> Flow<bool> {
    match flow {
        Ok(()) => Ok(true),
        Err(Jump::Continue(n)) if n == number => Ok(true),
        Err(Jump::Break(n)) if n == number => Ok(false),
        Err(other) => Err(other),
    }
}

fn run_stmt(stmt: &Stmt, vars: &mut [i32; VARS], helpers: &[Vec<Stmt>]) -> Flow<()> {
    match stmt {
        Stmt::Assign(v, value) => vars[*v] = run_expr(value, vars, helpers)?,
        Stmt::If(condition, a, b) => {
            let chosen = if run_expr(condition, vars, helpers)? != 0 {
                a
            } else {
                b
            };
            run_block(chosen, vars, helpers)?;
        }
        Stmt::For(number, start, end, inclusive, reversed, step, body) => {
            let start = run_expr(start, vars, helpers)?.clamp(-3, 3);
            let end = run_expr(end, vars, helpers)?.clamp(-4, 6);
            let end = if *inclusive { end + 1 } else { end };
            let mut values: Vec<i32> = (start..end).collect();
            if *reversed {
                values.reverse();
            }
            for value in values.into_iter().step_by(step.unwrap_or(1) as usize) {
                vars[0] = vars[0].wrapping_add(value);
                if !after_turn(run_block(body, vars, helpers), *number)? {
                    break;
                }
            }
        }
        Stmt::While(number, turns, condition, body) => {
            for _ in 0..*turns {
                if run_expr(condition, vars, helpers)? == 0
                    || !after_turn(run_block(body, vars, helpers), *number)?
                {
                    break;
                }
            }
        }
        Stmt::Break(number) => return Err(Jump::Break(*number)),
        Stmt::Continue(number) => return Err(Jump::Continue(*number)),
        Stmt::Return(value) => return Err(Jump::Return(run_expr(value, vars, helpers)?)),
    }
    Ok(())
}

/// What a program gives when it is run directly.
fn run_program(program: &[Stmt], helpers: &[Vec<Stmt>], a: i32, b: i32) -> i32 {
    let mut vars = [a, b, 1, 0];
    match run_block(program, &mut vars, helpers) {
        Err(Jump::Return(value)) => value,
        _ => {
            let [p, q, r, s] = vars;
            p ^ q.wrapping_mul(3) ^ r.wrapping_mul(5) ^ s.wrapping_mul(7)
        }
    }
}

fn show_function(head: &str, stmts: &[Stmt], out: &mut String) {
    let _ = writeln!(out, "{head}(a: i32, b: i32) -> i32 {{");
    out.push_str("let mut v0 = a; let mut v1 = b; let mut v2 = 1; let mut v3 = 0;\n");
    show_block(stmts, out);
    out.push_str("v0 ^ v1 * 3 ^ v2 * 5 ^ v3 * 7\n}\n");
}

#[test]
fn random_programs_give_what_they_give_when_run_directly() {
    const PROGRAMS: u64 = 1500;
    let mut shortest: Option<String> = None;
    for seed in 0..PROGRAMS {
        let mut random = Random {
            state: seed * 7919 + 12345,
            helpers: 0,
        };
        let mut helpers = Vec::new();
        let mut source = String::new();
        for number in 0..seed % 3 {
            helpers.push(random.block(2, &[], 3));
            random.helpers += 1;
            show_function(
                &format!("fn h{number}"),
                &helpers[number as usize],
                &mut source,
            );
        }
        let program = random.block(1 + seed as u32 % 4, &[], 1 + seed % 5);
        show_function("pub fn k", &program, &mut source);
        let func = lower(&source, &[]);
        for (a, b) in [(0, 0), (1, -2), (5, 3), (-7, 11), (100, 2)] {
            let expected = run_program(&program, &helpers, a, b);
            let found = run_func(&func, &i32s(&[a, b]))[0].as_int();
            let shorter = shortest
                .as_ref()
                .is_none_or(|known| source.len() < known.len());
            if found != i128::from(expected) && shorter {
                shortest = Some(format!(
                    "{source}\nseed {seed}, a = {a}, b = {b}: {found}, not {expected}"
                ));
            }
        }
    }
    assert!(shortest.is_none(), "{}", shortest.unwrap_or_default());
}
