//! Launches on host memory: each part uploaded, computed and downloaded, several parts at a time.
#![expect(
    unsafe_code,
    reason = "operands of a launch are raw addresses that the caller vouches for"
)]

use super::{Dispatch, WgpuLoop, units, value_words};
use crate::lower::entry::{self, Access, Layout, WORKGROUP};
use crate::memory::{self, Lent, Use};
use crate::packing::Strided;
use crate::parts::{Part, packed_strides};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use ufc_target::{BackendError, LaunchArgs, LaunchControl, LaunchReport};

/// Parts that are on the device at a time: one computes while the next is uploaded and the last is downloaded.
const IN_FLIGHT: usize = 2;

/// Most elements of a part that somebody watches or may cancel.
const WATCHED: u64 = 1 << 22;

/// A part of a launch on host memory that the device is at.
struct Flying {
    part: Part,
    group: u32,
    staging: Lent,
    /// Where each output begins in the staging buffer.
    outputs: Vec<u64>,
    bytes: u64,
    index: wgpu::SubmissionIndex,
    /// Given back when the part is done.
    _buffers: Vec<Lent>,
}

/// Where the operands of a part go.
struct Placed {
    accesses: Vec<Access>,
    /// Words of the operands that are values.
    values: Vec<[u32; 4]>,
    /// Strides of those that are not packed.
    rows: Vec<Vec<i64>>,
    /// Buffer, offset in it and bytes of those that are in memory.
    places: Vec<(usize, u64, u64)>,
    /// Bytes of each buffer.
    sizes: Vec<u64>,
}

impl WgpuLoop {
    /// Runs the loop over operands in host memory, part by part.
    ///
    /// # Safety
    /// As [`ufc_target::Executable::launch`].
    pub(super) unsafe fn launch_host(
        &self,
        args: &LaunchArgs<'_>,
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
        let is_watched = control.cancel.is_some() || control.progress.is_some();
        let most = if is_watched { WATCHED } else { u64::MAX };
        let group = entry::group_of(&self.element.results);
        let mut left = vec![whole];
        let mut flying = VecDeque::new();
        while let Some(part) = left.pop() {
            if control.cancel.is_some_and(|c| c.load(Ordering::Relaxed)) {
                return Err(BackendError::Cancelled);
            }
            if self.is_too_large(&part, args, most)
                && let Some((first, second)) = part.halves()
            {
                left.extend([second, first]);
                continue;
            }
            // SAFETY: the caller's promise is passed on, here and below.
            match unsafe { self.start(part.clone(), args, group, &mut report) } {
                Ok(started) => {
                    report.chunks += 1;
                    flying.push_back(started);
                }
                Err(BackendError::OutOfMemory { .. }) if !flying.is_empty() => {
                    left.push(part);
                    while let Some(first) = flying.pop_front() {
                        // SAFETY: as above.
                        unsafe { self.land(first, args, control, &mut report)? };
                    }
                }
                Err(error @ BackendError::OutOfMemory { .. }) => match part.halves() {
                    Some((first, second)) if part.count() > u64::from(WORKGROUP) => {
                        left.extend([second, first]);
                    }
                    _ => return Err(error),
                },
                Err(error) => return Err(error),
            }
            if flying.len() > IN_FLIGHT
                && let Some(first) = flying.pop_front()
            {
                // SAFETY: as above.
                unsafe { self.land(first, args, control, &mut report)? };
            }
        }
        while let Some(first) = flying.pop_front() {
            // SAFETY: as above.
            unsafe { self.land(first, args, control, &mut report)? };
        }
        Ok(report)
    }

    /// An operand's dims in a part: those that its address depends on are counted.
    fn counted(&self, operand: usize, part: &Part, strides: &[isize]) -> Vec<bool> {
        let is_output = operand >= self.inputs();
        let dims = part.shape.iter().zip(strides);
        dims.map(|(n, s)| *n > 1 && (*s != 0 || is_output))
            .collect()
    }

    /// Bytes that an operand of a part takes on the device; none for a value.
    fn bytes(&self, operand: usize, part: &Part, strides: &[isize]) -> u64 {
        let counted = self.counted(operand, part, strides);
        if operand < self.inputs() && !counted.contains(&true) {
            return 0;
        }
        let extents = part.shape.iter().zip(&counted).filter(|(_, c)| **c);
        let elements = extents.fold(1u64, |all, (n, _)| all.saturating_mul(*n as u64));
        elements
            .saturating_mul(self.dtype(operand).size() as u64)
            .checked_next_multiple_of(16)
            .unwrap_or(u64::MAX)
    }

    fn is_too_large(&self, part: &Part, args: &LaunchArgs<'_>, most: u64) -> bool {
        let sizes = (0..self.operands()).map(|o| self.bytes(o, part, args.strides[o]));
        let sizes: Vec<u64> = sizes.collect();
        let total = sizes.iter().fold(0u64, |a, b| a.saturating_add(*b));
        let limits = &self.gpu.limits;
        let largest = if self.shares_binding() {
            total
        } else {
            sizes.into_iter().max().unwrap_or(0)
        };
        let most = most.min(self.most_elements());
        total > limits.part || largest > limits.binding || part.count() > most
    }

    /// Decides where each operand of a part goes on the device.
    ///
    /// # Safety
    /// As [`ufc_target::Executable::launch`].
    unsafe fn place(&self, part: &Part, args: &LaunchArgs<'_>) -> Placed {
        let operands = self.operands();
        let shares = self.shares_binding();
        let mut placed = Placed {
            accesses: Vec::new(),
            values: vec![[0; 4]; operands],
            rows: Vec::new(),
            places: vec![(0, 0, 0); operands],
            sizes: Vec::new(),
        };
        for operand in 0..operands {
            let strides = args.strides[operand];
            let counted = self.counted(operand, part, strides);
            let bytes = self.bytes(operand, part, strides);
            if bytes == 0 {
                placed.accesses.push(Access::Value);
                // SAFETY: the caller vouches for the operand's elements, of which this is one.
                placed.values[operand] = unsafe { self.value(operand, part, args) };
                continue;
            }
            if !shares || placed.sizes.is_empty() {
                placed.sizes.push(0);
            }
            let slot = placed.sizes.len() - 1;
            placed.places[operand] = (slot, placed.sizes[slot], bytes);
            placed.sizes[slot] += bytes;
            let covers = part.shape.iter().zip(&counted).all(|(n, c)| *n == 1 || *c);
            placed.accesses.push(if covers {
                Access::Linear(slot as u32)
            } else {
                let unit = units(self.dtype(operand));
                let packed = packed_strides(&part.shape, &counted);
                placed
                    .rows
                    .push(packed.into_iter().map(|s| s * unit).collect());
                Access::Strided(slot as u32)
            });
        }
        placed
    }

    /// Uploads a part's operands and has it computed.
    ///
    /// # Safety
    /// As [`ufc_target::Executable::launch`].
    unsafe fn start(
        &self,
        part: Part,
        args: &LaunchArgs<'_>,
        group: u32,
        report: &mut LaunchReport,
    ) -> Result<Flying, BackendError> {
        let gpu = &self.gpu;
        // SAFETY: the caller's promise is passed on.
        let Placed {
            accesses,
            values,
            rows,
            places,
            sizes,
        } = unsafe { self.place(&part, args) };
        let buffers = sizes.iter().map(|size| Lent::new(gpu, Use::Operand, *size));
        let buffers = buffers.collect::<Result<Vec<Lent>, BackendError>>()?;
        for operand in 0..self.inputs() {
            if accesses[operand] != Access::Value {
                let (slot, offset, _) = places[operand];
                // SAFETY: as above.
                report.uploaded +=
                    unsafe { self.upload(operand, &part, args, buffers[slot].buffer(), offset)? };
            }
        }
        let offsets: Vec<u64> = places.iter().map(|p| p.1).collect();
        let given = (&*accesses, &*values, &*offsets);
        let (rank, words) = self.arguments(&part, given, rows, args.indices);
        let status = Lent::new(gpu, Use::Operand, 4)?;
        let dispatch = Dispatch {
            words,
            layout: Layout {
                rank,
                operands: accesses.clone(),
                group,
            },
            bindings: buffers
                .iter()
                .zip(&sizes)
                .map(|(b, s)| (b.buffer(), 0, *s))
                .collect(),
            status: status.buffer(),
            elements: part.count(),
        };
        let mut outputs = Vec::new();
        let mut bytes = 0;
        for place in &places[self.inputs()..] {
            outputs.push(bytes);
            bytes += place.2;
        }
        let status_at = bytes;
        bytes += 4;
        let staging = Lent::new(gpu, Use::Download, bytes)?;
        let index = self.submit(
            &dispatch,
            |encoder| encoder.clear_buffer(status.buffer(), 0, Some(4)),
            |encoder| {
                for ((slot, offset, size), at) in places[self.inputs()..].iter().zip(&outputs) {
                    let from = buffers[*slot].buffer();
                    encoder.copy_buffer_to_buffer(from, *offset, staging.buffer(), *at, *size);
                }
                encoder.copy_buffer_to_buffer(status.buffer(), 0, staging.buffer(), status_at, 4);
            },
        )?;
        let mut kept = buffers;
        kept.push(status);
        Ok(Flying {
            part,
            group,
            staging,
            outputs,
            bytes,
            index,
            _buffers: kept,
        })
    }

    /// The words of an operand's one element.
    ///
    /// # Safety
    /// As [`ufc_target::Executable::launch`].
    unsafe fn value(&self, operand: usize, part: &Part, args: &LaunchArgs<'_>) -> [u32; 4] {
        let one = Strided {
            pointer: args.pointers[operand].wrapping_offset(part.offset(args.strides[operand])),
            size: self.dtype(operand).size(),
            dims: &[],
        };
        let mut bytes = Vec::with_capacity(16);
        // SAFETY: the element is one of the operand's, for which the caller vouches.
        unsafe { one.gather(&mut bytes) };
        bytes.resize(16, 0);
        value_words(&bytes)
    }

    /// Copies an input of a part to the device; gives how many bytes.
    ///
    /// # Safety
    /// As [`ufc_target::Executable::launch`].
    unsafe fn upload(
        &self,
        operand: usize,
        part: &Part,
        args: &LaunchArgs<'_>,
        to: &wgpu::Buffer,
        offset: u64,
    ) -> Result<u64, BackendError> {
        let strides = args.strides[operand];
        let counted = self.counted(operand, part, strides);
        let dims = part.shape.iter().zip(strides).zip(&counted);
        let dims: Vec<(usize, isize)> = dims
            .filter(|(_, counted)| **counted)
            .map(|((n, s), _)| (*n, *s))
            .collect();
        let elements = Strided {
            pointer: args.pointers[operand].wrapping_offset(part.offset(strides)),
            size: self.dtype(operand).size(),
            dims: &dims,
        };
        let gpu = &self.gpu;
        // SAFETY: the caller vouches for every element; no results are written before the copy is made.
        if let Some(whole) = unsafe { elements.whole() }
            && whole.len() % 4 == 0
        {
            gpu.checked(whole.len() as u64, || {
                gpu.queue.write_buffer(to, offset, whole)
            })?;
            return Ok(whole.len() as u64);
        }
        let mut packed = Vec::new();
        // SAFETY: as above.
        unsafe { elements.gather(&mut packed) };
        let bytes = packed.len() as u64;
        packed.resize(packed.len().next_multiple_of(4), 0);
        gpu.checked(bytes, || gpu.queue.write_buffer(to, offset, &packed))?;
        Ok(bytes)
    }

    /// Waits for a part and copies its results to where they belong; gives false if loops did not end.
    ///
    /// # Safety
    /// As [`ufc_target::Executable::launch`].
    unsafe fn finish(
        &self,
        flying: Flying,
        args: &LaunchArgs<'_>,
        report: &mut LaunchReport,
    ) -> Result<bool, BackendError> {
        let Flying {
            part,
            staging,
            outputs,
            bytes,
            index,
            ..
        } = flying;
        let status_at = bytes as usize - 4;
        let copy = |data: &[u8]| {
            if data[status_at..status_at + 4] != [0; 4] {
                return false;
            }
            for (i, at) in outputs.iter().enumerate() {
                let operand = self.inputs() + i;
                let strides = args.strides[operand];
                let dims: Vec<(usize, isize)> = part
                    .shape
                    .iter()
                    .copied()
                    .zip(strides.iter().copied())
                    .collect();
                let elements = Strided {
                    pointer: args.pointers[operand].wrapping_offset(part.offset(strides)),
                    size: self.dtype(operand).size(),
                    dims: &dims,
                };
                // SAFETY: the caller vouches for every element of the outputs; the staging buffer has as many.
                unsafe { elements.scatter(&data[*at as usize..]) };
            }
            true
        };
        let found = memory::with_mapped(&self.gpu, staging.buffer(), bytes, index, copy);
        match found {
            Ok(ended) => {
                report.downloaded += bytes;
                Ok(ended)
            }
            Err(error) => {
                staging.discard();
                Err(error)
            }
        }
    }

    /// Has a part computed and its results copied, once those of earlier parts are.
    ///
    /// # Safety
    /// As [`ufc_target::Executable::launch`].
    unsafe fn land(
        &self,
        flying: Flying,
        args: &LaunchArgs<'_>,
        control: &LaunchControl<'_>,
        report: &mut LaunchReport,
    ) -> Result<(), BackendError> {
        let (part, group) = (flying.part.clone(), flying.group);
        let elements = part.count();
        // SAFETY: the caller's promise is passed on.
        let mut ended = unsafe { self.finish(flying, args, report)? };
        if !ended && group > 1 {
            // The turns that a driver allows may have been enough for each element alone.
            // SAFETY: as above.
            ended = unsafe {
                let again = self.start(part, args, 1, report)?;
                self.finish(again, args, report)?
            };
        }
        if !ended {
            return Err(self.turns_error());
        }
        if let Some(progress) = control.progress {
            progress.fetch_add(elements, Ordering::Relaxed);
        }
        Ok(())
    }
}
