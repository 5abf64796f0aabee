//! Control flow: `if` and `loop` as branches.

use super::{Element, Place, class, internal, register};
use crate::ptx::{Class, Reg, Src};
use ufc_ir::func::{InstData, Region, Terminator, Value};
use ufc_target::BackendError;

impl Element<'_> {
    /// The instructions of a region, not its end.
    pub(super) fn region(&mut self, region: Region) -> Result<(), BackendError> {
        let func = self.func;
        for &inst in &func.regions[region].insts {
            self.inst(&func.insts[inst])?;
        }
        Ok(())
    }

    /// What the region yields.
    pub(super) fn yielded(&self, region: Region) -> Result<&[Value], BackendError> {
        match &self.func.regions[region].end {
            Terminator::Yield(values) => Ok(values),
            Terminator::ContinueIf { .. } => Err(internal("an arm that ends as a loop does")),
        }
    }

    /// `if`: each arm moves what it yields to the same registers.
    pub(super) fn branch(
        &mut self,
        data: &InstData,
        then_region: Region,
        else_region: Region,
    ) -> Result<(), BackendError> {
        let cond = self.src(data.args[0])?;
        let cond = register(self.asm, cond, Class::Pred);
        let results = self.registers(&data.results);
        let (otherwise, end) = (self.asm.label(), self.asm.label());
        self.asm.jump_if(cond, true, otherwise);
        self.arm(then_region, &results)?;
        self.asm.jump(end);
        self.asm.bind(otherwise);
        self.arm(else_region, &results)?;
        self.asm.bind(end);
        self.hold(&data.results, &results);
        Ok(())
    }

    fn arm(&mut self, region: Region, results: &[Reg]) -> Result<(), BackendError> {
        self.region(region)?;
        let values = self.srcs(self.yielded(region)?)?;
        for (result, value) in results.iter().zip(values) {
            self.asm.mov(*result, value);
        }
        Ok(())
    }

    /// `loop`: its parameters are registers that each turn but the last writes at its end. What it results in is
    /// where the last turn left it.
    pub(super) fn repeat(&mut self, data: &InstData, body: Region) -> Result<(), BackendError> {
        let func = self.func;
        let params = &func.regions[body].params;
        let registers = self.registers(params);
        for (register, value) in registers.iter().zip(self.srcs(&data.args)?) {
            self.asm.mov(*register, value);
        }
        self.hold(params, &registers);
        let (again, end) = (self.asm.label(), self.asm.label());
        self.asm.bind(again);
        self.region(body)?;
        let Terminator::ContinueIf {
            cond,
            next,
            results,
        } = &func.regions[body].end
        else {
            return Err(internal("a loop that ends as an arm does"));
        };
        let cond = self.src(*cond)?;
        let cond = register(self.asm, cond, Class::Pred);
        self.asm.jump_if(cond, true, end);
        let moves: Vec<(Reg, Src)> = registers.into_iter().zip(self.srcs(next)?).collect();
        self.asm.parallel_moves(&moves);
        self.asm.jump(again);
        self.asm.bind(end);
        for (result, value) in data.results.iter().zip(results) {
            let place = self.place(*value)?;
            self.places.set(*result, Some(place));
        }
        Ok(())
    }

    fn registers(&mut self, values: &[Value]) -> Vec<Reg> {
        let classes = values.iter().map(|v| class(self.func.dtype(*v)));
        classes.map(|class| self.asm.reg(class)).collect()
    }

    fn hold(&mut self, values: &[Value], registers: &[Reg]) {
        for (value, register) in values.iter().zip(registers) {
            self.places
                .set(*value, Some(Place::One(Src::Reg(*register))));
        }
    }
}
