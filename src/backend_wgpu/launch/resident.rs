//! Launches on memory of the device: parts that its bindings reach, one dispatch each.

use super::{Dispatch, WgpuLoop, device_status, value_words};
use crate::lower::entry::{self, Access, Layout};
use crate::memory::DeviceBuffer;
use crate::parts::{Part, packed_strides};
use std::sync::atomic::Ordering;
use ufc_target::{
    BackendError, Buffer as _, DeviceArgs, DeviceOperand, LaunchControl, LaunchReport,
};

impl WgpuLoop {
    /// Runs the loop over operands on the device, part by part; does not wait.
    pub(super) fn launch_resident(
        &self,
        args: &DeviceArgs<'_>,
        control: &LaunchControl<'_>,
    ) -> Result<LaunchReport, BackendError> {
        let mut report = LaunchReport {
            threads: 1,
            ..LaunchReport::default()
        };
        let whole = Part::whole(args.shape);
        if whole.count() == 0 {
            report.chunks = 1;
            return Ok(report);
        }
        let mut left = vec![whole];
        while let Some(part) = left.pop() {
            if control.cancel.is_some_and(|c| c.load(Ordering::Relaxed)) {
                return Err(BackendError::Cancelled);
            }
            let elements = part.count();
            match self.run_on_device(&part, args)? {
                true => {
                    report.chunks += 1;
                    if let Some(progress) = control.progress {
                        progress.fetch_add(elements, Ordering::Relaxed);
                    }
                }
                false => {
                    let (first, second) = part.halves().ok_or_else(|| {
                        BackendError::Unsupported("an element larger than a binding".into())
                    })?;
                    left.extend([second, first]);
                }
            }
        }
        Ok(report)
    }

    /// Where an operand of a part is; none if it reaches further than a binding does.
    fn locate<'o>(
        &self,
        operand: usize,
        given: &'o DeviceOperand,
        strides: &[isize],
        part: &Part,
    ) -> Result<Option<Located<'o>>, BackendError> {
        let (buffer, offset) = match given {
            DeviceOperand::Value(bytes) => return Ok(Some(Located::Value(value_words(bytes)))),
            DeviceOperand::Buffer { buffer, offset } => (buffer, *offset),
        };
        let ours = buffer.as_any().downcast_ref::<DeviceBuffer>();
        let ours = ours.filter(|b| b.is_on(&self.gpu)).ok_or_else(|| {
            let place = format!("{}:{}", buffer.backend(), buffer.device());
            BackendError::LaunchFailed(format!(
                "operand {operand} is on `{place}`, not on `wgpu:{}`",
                self.gpu.name
            ))
        })?;
        let dtype = self.dtype(operand);
        let first = offset as i128 + part.offset(strides) as i128;
        let (low, high) = reach(part, strides, dtype.size());
        let (low, high) = (first + low, first + high);
        if low < 0 || high > ours.size() as i128 {
            return Err(BackendError::LaunchFailed(format!(
                "operand {operand} reaches bytes {low} to {high} of a buffer of {}",
                ours.size()
            )));
        }
        let align = dtype.size().min(4) as isize;
        let mut dims = part.shape.iter().zip(strides).filter(|(n, _)| **n > 1);
        if first % align as i128 != 0 || dims.any(|(_, s)| s % align != 0) {
            return Err(BackendError::Unsupported(format!(
                "elements of {dtype} on a device that are not aligned, as operand {operand}"
            )));
        }
        let limits = &self.gpu.limits;
        let start = low as u64 / limits.alignment * limits.alignment;
        let size = (high as u64 - start).next_multiple_of(4);
        if size > limits.binding {
            return Ok(None);
        }
        Ok(Some(Located::Memory {
            binding: (ours.raw(), start, size),
            offset: first as u64 - start,
            is_packed: is_packed(part, strides, dtype.size()),
        }))
    }

    /// Has a part computed, or gives false if it is too large.
    fn run_on_device(&self, part: &Part, args: &DeviceArgs<'_>) -> Result<bool, BackendError> {
        let limits = &self.gpu.limits;
        if part.count() > self.most_elements() {
            return Ok(false);
        }
        let mut accesses = Vec::new();
        let mut values = vec![[0u32; 4]; self.operands()];
        let mut rows: Vec<Vec<i64>> = Vec::new();
        let mut offsets = vec![0u64; self.operands()];
        let mut bindings = Vec::new();
        let mut group = entry::group_of(&self.element.results);
        for (operand, given) in args.operands.iter().enumerate() {
            let strides = args.strides[operand];
            let (memory, offset, is_packed) = match self.locate(operand, given, strides, part)? {
                None => return Ok(false),
                Some(Located::Value(words)) => {
                    accesses.push(Access::Value);
                    values[operand] = words;
                    continue;
                }
                Some(Located::Memory {
                    binding,
                    offset,
                    is_packed,
                }) => (binding, offset, is_packed),
            };
            let size = self.dtype(operand).size();
            let binding = bindings.len() as u32;
            bindings.push(memory);
            offsets[operand] = offset;
            if is_packed {
                accesses.push(Access::Linear(binding));
            } else {
                accesses.push(Access::Strided(binding));
                let unit = if size < 4 { 1 } else { 4 };
                let row = part.shape.iter().zip(strides);
                let row = row.map(|(n, s)| if *n > 1 { *s as i64 / unit } else { 0 });
                rows.push(row.collect());
            }
            // Words that other elements have a part in are not written whole.
            let is_whole = is_packed
                && offset.is_multiple_of(4)
                && (part.count() * size as u64).is_multiple_of(4);
            if operand >= self.inputs() && size < 4 && !is_whole {
                group = 1;
            }
        }
        let storage = bindings.len() + usize::from(self.element.has_loop);
        if storage > limits.bindings as usize {
            return Err(BackendError::Unsupported(format!(
                "{storage} arrays in one launch on device memory; `wgpu:{}` binds {}",
                self.gpu.name, limits.bindings
            )));
        }
        let given = (&*accesses, &*values, &*offsets);
        let (rank, words) = self.arguments(part, given, rows, args.indices);
        let dispatch = Dispatch {
            words,
            layout: Layout {
                rank,
                operands: accesses.clone(),
                group,
            },
            bindings,
            status: device_status(&self.gpu)?,
            elements: part.count(),
        };
        self.submit(&dispatch, |_| {}, |_| {})?;
        if self.element.has_loop {
            self.gpu.has_looped.store(true, Ordering::Release);
        }
        Ok(true)
    }
}

/// Where an operand is that a launch on device memory is given.
enum Located<'o> {
    Value([u32; 4]),
    Memory {
        /// Buffer, offset and size of what is bound.
        binding: (&'o wgpu::Buffer, u64, u64),
        /// The first element, in bytes from there.
        offset: u64,
        /// Whether elements follow each other in the order of the loop.
        is_packed: bool,
    },
}

fn is_packed(part: &Part, strides: &[isize], size: usize) -> bool {
    let packed = packed_strides(&part.shape, &vec![true; part.shape.len()]);
    let dims = part.shape.iter().zip(strides.iter().zip(packed));
    dims.into_iter()
        .all(|(n, (s, p))| *n == 1 || *s as i64 == p * size as i64)
}

/// The lowest byte and the one past the highest that a part reaches, from its first element.
fn reach(part: &Part, strides: &[isize], size: usize) -> (i128, i128) {
    let (mut low, mut high) = (0i128, size as i128);
    for (n, s) in part.shape.iter().zip(strides) {
        let span = (*n as i128 - 1) * *s as i128;
        if span < 0 {
            low += span;
        } else {
            high += span;
        }
    }
    (low, high)
}
