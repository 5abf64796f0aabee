//! The order of straight code: the columns of a turn are interleaved operation by operation, as far as registers allow.
//!
//! Selection emits one column after the other. Each is a thread here that keeps its own order, and threads take turns as
//! on a machine that runs several at once: the one goes on whose next operation waits least for a result, of several
//! the one that is least far. The oldest may always go on, any other only if afterwards all can still be finished, one
//! after the other from the oldest on, with the registers that there are: the banker's algorithm (Dijkstra, EWD 108), as
//! what each thread will need at most is known. So code that finds room in the registers column by column does so
//! interleaved, and where one column alone takes more, columns stay one after the other.
//!
//! So they do in a kernel's own loops, too: a processor sees several of their short turns at once, and does better where
//! operations of different kinds follow each other (mandelbrot took a tenth longer interleaved). And so they do where
//! memory is all that a turn waits for and what is written goes past the caches: loads and stores that take turns line
//! by line kept memory busier (`clip` of 64 Mi elements took a fifth longer interleaved).

use super::level::Level;
use super::live::{Count, Live, RegSet, reads, writes};
use super::mach::{Mach, MachInst, Reg};
use iced_x86::Mnemonic;
use std::ops::Range;

/// Vector registers that the allocator is left for copies.
const SLACK: usize = 1;

/// Nobody's, in the table of owners.
const NONE: u32 = u32::MAX;

/// More than one thread's.
const SHARED: u32 = u32::MAX - 1;

/// The time when something can be read that is not yet computed.
const NEVER: u32 = u32::MAX;

/// Interleaves the columns of every block, and takes out what says which column it is.
pub(super) fn interleave(mach: &mut Mach, level: Level) {
    let registers = Count {
        vectors: level.registers() - SLACK,
        masks: 7,
    };
    let live = Live::new(mach);
    let mut table = Table {
        owner: vec![NONE; mach.regs],
        last: vec![0; mach.regs],
        ready: vec![0; mach.regs],
    };
    for block in mach.order.clone() {
        let insts = std::mem::take(&mut mach.blocks[block.0].insts);
        let groups = match mach.blocks[block.0].loops {
            0 | 1 => groups(&insts),
            _ => Vec::new(),
        };
        let mut ordered = Vec::with_capacity(insts.len());
        let mut after = live.out(block).clone();
        let mut end = insts.len();
        // Backwards, as that is how it is known what is live.
        for group in groups.iter().rev() {
            let range = group[0].start..group[group.len() - 1].end;
            put_back(&insts[range.end..end], &mut ordered);
            step_back(&insts[range.end..end], &mut after);
            let mut merge = Merge::new(&insts, group, &after, &live, registers, &mut table);
            merge.run();
            let order = merge.finish();
            ordered.extend(order.iter().rev().map(|i| insts[*i].clone()));
            step_back(&insts[range.clone()], &mut after);
            end = range.start;
        }
        put_back(&insts[..end], &mut ordered);
        ordered.reverse();
        mach.blocks[block.0].insts = ordered;
    }
}

/// Leaves one column after the other, and takes out what says which column it is.
pub(super) fn in_order(mach: &mut Mach) {
    for data in &mut mach.blocks {
        data.insts
            .retain(|inst| !matches!(inst, MachInst::Column(_)));
    }
}

/// Puts instructions into a list that is in reverse.
fn put_back(insts: &[MachInst], list: &mut Vec<MachInst>) {
    let insts = insts.iter().rev();
    list.extend(
        insts
            .filter(|inst| !matches!(inst, MachInst::Column(_)))
            .cloned(),
    );
}

/// From what is live after some instructions to what is live before them.
fn step_back(insts: &[MachInst], live: &mut RegSet) {
    for inst in insts.iter().rev() {
        writes(inst, |reg| {
            live.remove(reg.vreg());
        });
        reads(inst, |reg| {
            live.insert(reg.vreg());
        });
    }
}

/// The columns of each straight part of a block that has several.
fn groups(insts: &[MachInst]) -> Vec<Vec<Range<usize>>> {
    let mut groups = Vec::new();
    let mut group: Vec<Range<usize>> = Vec::new();
    for (i, inst) in insts.iter().enumerate() {
        let MachInst::Column(column) = inst else {
            continue;
        };
        if let Some(last) = group.last_mut() {
            last.end = i;
        }
        if column.is_some() {
            group.push(i + 1..i + 1);
            continue;
        }
        let group = std::mem::take(&mut group);
        let is_plain = |range: &Range<usize>| {
            let mut insts = insts[range.clone()].iter();
            insts.all(|inst| matches!(inst, MachInst::Op { .. }))
        };
        if group.len() > 1 && group.iter().all(is_plain) {
            groups.push(group);
        }
    }
    groups
}

/// What is known of each register in the part at hand.
struct Table {
    /// The thread that alone reads and writes it.
    owner: Vec<u32>,
    /// The last instruction that reads or writes it.
    last: Vec<usize>,
    /// When it can be read, in steps of the clock.
    ready: Vec<u32>,
}

/// A column on its way.
struct Thread {
    /// Its instructions.
    range: Range<usize>,
    /// How many of them are in order.
    done: usize,
    /// The registers of its own before each instruction and after the last.
    live: Vec<Count>,
    /// The most that it has from each instruction on.
    need: Vec<Count>,
}

impl Thread {
    fn is_unfinished(&self) -> bool {
        self.done < self.range.len()
    }
}

/// The columns of a straight part, being interleaved.
struct Merge<'a> {
    insts: &'a [MachInst],
    table: &'a mut Table,
    /// What the part reads or writes, and whether that comes from before it.
    touched: Vec<(Reg, bool)>,
    threads: Vec<Thread>,
    /// The most registers that threads may have together.
    most: Count,
    now: u32,
    order: Vec<usize>,
}

impl<'a> Merge<'a> {
    fn new(
        insts: &'a [MachInst],
        group: &[Range<usize>],
        after: &RegSet,
        live: &Live,
        registers: Count,
        table: &'a mut Table,
    ) -> Merge<'a> {
        let mut touched = Vec::new();
        for (number, range) in group.iter().enumerate() {
            for i in range.clone() {
                let mut touch = |reg: Reg, ready: u32| {
                    let owner = &mut table.owner[reg.vreg()];
                    if *owner == NONE {
                        *owner = number as u32;
                        table.ready[reg.vreg()] = ready;
                        touched.push((reg, ready == 0));
                    } else if *owner != number as u32 {
                        *owner = SHARED;
                    }
                    table.last[reg.vreg()] = i;
                };
                reads(&insts[i], |reg| touch(reg, 0));
                writes(&insts[i], |reg| touch(reg, NEVER));
            }
        }
        // What is only passed through, and what several threads use, is there all the time.
        let mut others = Count::default();
        let passed = after.iter().filter(|reg| table.owner[*reg] == NONE);
        passed.for_each(|reg| others.add(live.class(reg)));
        let shared = touched
            .iter()
            .filter(|(reg, _)| table.owner[reg.vreg()] == SHARED);
        shared.for_each(|(reg, _)| others.add(reg.class()));
        let mut merge = Merge {
            insts,
            table,
            touched,
            threads: Vec::new(),
            most: registers.less(others),
            now: 0,
            order: Vec::new(),
        };
        for (number, range) in group.iter().enumerate() {
            let thread = merge.thread(number as u32, range.clone(), after);
            merge.threads.push(thread);
        }
        merge
    }

    /// A thread before its first instruction.
    fn thread(&mut self, number: u32, range: Range<usize>, after: &RegSet) -> Thread {
        let mut now = Count::default();
        for (reg, is_input) in &self.touched {
            if *is_input && self.table.owner[reg.vreg()] == number {
                now.add(reg.class());
            }
        }
        let (mut live, mut need) = (vec![now], Vec::new());
        for i in range.clone() {
            let table = &mut *self.table;
            let mut before = now;
            let mut dies = |reg: Reg, now: &mut Count| {
                let last = &mut table.last[reg.vreg()];
                if *last == i && table.owner[reg.vreg()] == number && !after.contains(reg.vreg()) {
                    // Once, though it may be read twice.
                    *last = usize::MAX;
                    now.sub(reg.class());
                }
            };
            reads(&self.insts[i], |reg| dies(reg, &mut now));
            writes(&self.insts[i], |reg| {
                if self.table.owner[reg.vreg()] == number {
                    now.add(reg.class());
                    before = before.max(now);
                }
            });
            writes(&self.insts[i], |reg| {
                let last = self.table.last[reg.vreg()];
                let is_own = self.table.owner[reg.vreg()] == number;
                if is_own && last == i && !after.contains(reg.vreg()) {
                    now.sub(reg.class());
                }
            });
            need.push(before);
            live.push(now);
        }
        need.push(now);
        for i in (0..need.len() - 1).rev() {
            need[i] = need[i].max(need[i + 1]);
        }
        Thread {
            range,
            done: 0,
            live,
            need,
        }
    }

    /// Puts all instructions in order.
    fn run(&mut self) {
        while let Some(oldest) = self.threads.iter().position(Thread::is_unfinished) {
            let mut best = (self.start(oldest), self.threads[oldest].done, oldest);
            for number in oldest + 1..self.threads.len() {
                let thread = &self.threads[number];
                if thread.is_unfinished() {
                    let next = (self.start(number), thread.done, number);
                    if next < best && self.may_move(number) {
                        best = next;
                    }
                }
            }
            self.issue(best.2, best.0);
            // There is one set of flags: what reads them stays behind what has set them.
            while self.reads_flags(best.2) {
                self.issue(best.2, self.start(best.2));
            }
        }
    }

    /// When a thread's next instruction could start.
    fn start(&self, number: usize) -> u32 {
        let thread = &self.threads[number];
        let mut start = self.now;
        reads(&self.insts[thread.range.start + thread.done], |reg| {
            start = start.max(self.table.ready[reg.vreg()]);
        });
        start
    }

    /// Whether a thread's next instruction reads flags.
    fn reads_flags(&self, number: usize) -> bool {
        let thread = &self.threads[number];
        let next = thread
            .is_unfinished()
            .then(|| &self.insts[thread.range.start + thread.done]);
        let Some(MachInst::Op { code, .. }) = next else {
            return false;
        };
        matches!(
            code.mnemonic(),
            Mnemonic::Cmovl
                | Mnemonic::Cmovge
                | Mnemonic::Cmove
                | Mnemonic::Cmovne
                | Mnemonic::Cmovb
                | Mnemonic::Cmovae
        )
    }

    /// Whether all threads could be finished one by one, after this one's next instruction.
    fn may_move(&self, number: usize) -> bool {
        let done = |i: usize| self.threads[i].done + usize::from(i == number);
        let live = |i: usize| self.threads[i].live[done(i)];
        let mut others = (0..self.threads.len()).fold(Count::default(), |sum, i| sum + live(i));
        for (i, thread) in self.threads.iter().enumerate() {
            others = others.less(live(i));
            if !(others + thread.need[done(i)]).fits(self.most) {
                return false;
            }
            others = others + thread.live[thread.range.len()];
        }
        true
    }

    fn issue(&mut self, number: usize, start: u32) {
        let thread = &mut self.threads[number];
        let i = thread.range.start + thread.done;
        thread.done += 1;
        self.order.push(i);
        self.now = start + 1;
        let ready = start + latency(&self.insts[i]);
        writes(&self.insts[i], |reg| self.table.ready[reg.vreg()] = ready);
    }

    /// The new order; the table is as before.
    fn finish(self) -> Vec<usize> {
        for (reg, _) in &self.touched {
            self.table.owner[reg.vreg()] = NONE;
        }
        self.order
    }
}

/// Steps of the clock, of which a cycle has two, as about so many vector instructions start in one, until a result can
/// be used: about those of current processors (Fog: Instruction tables; uops.info). Memory operands count for nothing, as
/// their addresses are known early.
fn latency(inst: &MachInst) -> u32 {
    use Mnemonic as M;
    let MachInst::Op { code, .. } = inst else {
        return 2;
    };
    let cycles = match code.mnemonic() {
        M::Vdivps | M::Vdivpd => 13,
        M::Vsqrtps | M::Vsqrtpd => 18,
        M::Vpmullq | M::Vpmulld => 6,
        M::Vpaddb | M::Vpaddw | M::Vpaddd | M::Vpaddq => 1,
        M::Vpsubb | M::Vpsubw | M::Vpsubd | M::Vpsubq => 1,
        M::Vpand | M::Vpandd | M::Vpandq | M::Vpandn | M::Vpandnd | M::Vpandnq => 1,
        M::Vpor | M::Vpord | M::Vporq | M::Vpxor | M::Vpxord | M::Vpxorq => 1,
        M::Vpternlogd | M::Vpternlogq => 1,
        M::Vblendmps | M::Vblendmpd | M::Vpblendmd | M::Vpblendmq => 1,
        M::Vblendvps | M::Vblendvpd | M::Vpblendvb | M::Vpblendmb | M::Vpblendmw => 1,
        M::Vpslld | M::Vpsllq | M::Vpsllw | M::Vpsrld | M::Vpsrlq | M::Vpsrlw => 1,
        M::Vpsrad | M::Vpsraq | M::Vpsraw => 1,
        M::Kandw | M::Kandb | M::Korw | M::Korb | M::Kandnw | M::Kandnb | M::Knotw | M::Knotb => 1,
        _ => 4,
    };
    2 * cycles
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::mach::{Arg, Block, Class};
    use iced_x86::Code;
    use smallvec::SmallVec;
    use ufc_ir::testing::Rng;

    /// A block of columns that each combine random results of their own, and store the last ones.
    fn columns(rng: &mut Rng, count: usize, length: usize) -> Mach {
        let mut mach = Mach::default();
        let block = mach.block();
        mach.order.push(block);
        let mut insts = Vec::new();
        let shared = mach.reg(Class::Vector);
        insts.push(op(&[Arg::Def(shared)]));
        let mut results = Vec::new();
        for column in 0..count {
            insts.push(MachInst::Column(Some(column)));
            let mut regs = vec![shared];
            for _ in 0..length {
                let recent = regs.len().min(12);
                let mut pick = || regs[regs.len() - 1 - rng.below(recent)];
                let (a, b) = (pick(), pick());
                let to = mach.reg(Class::Vector);
                insts.push(op(&[Arg::Def(to), Arg::Use(a), Arg::Use(b)]));
                regs.push(to);
            }
            results.push(regs[regs.len() - 1]);
        }
        insts.push(MachInst::Column(None));
        for result in results {
            insts.push(op(&[Arg::Use(result), Arg::Use(result)]));
        }
        insts.push(MachInst::Return);
        mach.blocks[block.0].insts = insts;
        mach
    }

    fn op(args: &[Arg]) -> MachInst {
        MachInst::Op {
            code: Code::EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er,
            args: SmallVec::from_slice(args),
            mask: None,
            zeroing: false,
        }
    }

    /// What an instruction writes, by which it can be told from all others.
    fn result(inst: &MachInst) -> Option<usize> {
        let mut result = None;
        writes(inst, |reg| result = Some(reg.vreg()));
        result
    }

    #[test]
    fn columns_keep_their_order_and_need_no_more_registers_than_there_are() {
        let mut rng = Rng::new(11);
        for case in 0..200 {
            let count = 1 << (case % 4);
            let mut mach = columns(&mut rng, count, 10 + case / 2);
            crate::native::dead::run(&mut mach);
            let before = mach.blocks[0].insts.clone();
            let peak = Live::new(&mach).pressure(&mach, Block(0)).vectors;
            interleave(&mut mach, Level::Avx512);
            let after = &mach.blocks[0].insts;
            let most = Level::Avx512.registers() - SLACK;
            let new_peak = Live::new(&mach).pressure(&mach, Block(0)).vectors;
            assert!(
                new_peak <= peak.max(most),
                "case {case}: {new_peak} registers"
            );
            let place = |reg: usize| after.iter().position(|inst| result(inst) == Some(reg));
            let mut last = None;
            for inst in &before {
                match (inst, result(inst)) {
                    (MachInst::Column(_), _) => last = None,
                    (_, Some(reg)) => {
                        let place = place(reg);
                        assert!(place.is_some() && last < place, "case {case}: r{reg}");
                        last = place;
                    }
                    _ => {}
                }
            }
            let columns = |insts: &[MachInst]| {
                let columns = insts.iter().filter(|i| matches!(i, MachInst::Column(_)));
                columns.count()
            };
            assert_eq!(columns(after), 0);
            assert_eq!(after.len(), before.len() - columns(&before), "case {case}");
        }
    }

    #[test]
    fn chains_that_wait_for_themselves_are_interleaved() {
        let mut mach = Mach::default();
        let block = mach.block();
        mach.order.push(block);
        let mut insts = Vec::new();
        let mut owner = Vec::new();
        for column in 0..4 {
            insts.push(MachInst::Column(Some(column)));
            let mut last = mach.reg(Class::Vector);
            owner.push(column);
            insts.push(op(&[Arg::Def(last)]));
            for _ in 0..20 {
                let next = mach.reg(Class::Vector);
                owner.push(column);
                insts.push(op(&[Arg::Def(next), Arg::Use(last), Arg::Use(last)]));
                last = next;
            }
        }
        insts.push(MachInst::Column(None));
        insts.push(MachInst::Return);
        mach.blocks[block.0].insts = insts;
        interleave(&mut mach, Level::Avx2);
        let order: Vec<usize> = mach.blocks[0].insts.iter().filter_map(result).collect();
        let order: Vec<usize> = order.into_iter().map(|reg| owner[reg]).collect();
        assert_eq!(order[..8], [0, 1, 2, 3, 0, 1, 2, 3]);
        assert_eq!(order[76..], [0, 1, 2, 3, 0, 1, 2, 3]);
    }
}
