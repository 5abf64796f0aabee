//! A kernel on a device: its shaders by layout of operands, and one dispatch of them.
#![expect(
    unsafe_code,
    reason = "operands of a launch are raw addresses that the caller vouches for"
)]

mod host;
mod resident;

use crate::device::Gpu;
use crate::kept::Kept;
use crate::lower::Element;
use crate::lower::entry::{self, Access, HEAD_WORDS, Layout, WORKGROUP};
use crate::memory::{self, Lent, Use};
use crate::parts::{Dims, Part};
use crate::pipeline::{self, Pipeline};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use ufc_ir::DType;
use ufc_target::{
    BackendError, DeviceArgs, Executable, InnerLoop, LaunchArgs, LaunchControl, LaunchReport,
};

/// A kernel on a device.
pub(crate) struct WgpuLoop {
    gpu: Arc<Gpu>,
    element: Element,
    /// Where shaders are kept for other processes, if anywhere.
    kept: Option<Arc<Kept>>,
    pipelines: Mutex<BTreeMap<Layout, Arc<Pipeline>>>,
}

impl std::fmt::Debug for WgpuLoop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WgpuLoop({} on {:?})", self.element.name, self.gpu)
    }
}

impl Drop for WgpuLoop {
    fn drop(&mut self) {
        let pipelines = self.pipelines.get_mut();
        let all = std::mem::take(pipelines.unwrap_or_else(PoisonError::into_inner));
        self.gpu.release(all);
    }
}

/// One dispatch: what the shader is made for and what it is given.
struct Dispatch<'b> {
    layout: Layout,
    words: Vec<u32>,
    /// Buffer, offset and size of each binding.
    bindings: Vec<(&'b wgpu::Buffer, u64, u64)>,
    status: &'b wgpu::Buffer,
    elements: u64,
}

impl WgpuLoop {
    /// A kernel whose shader for packed operands is compiled already.
    ///
    /// # Errors
    /// What naga or the driver has to say.
    pub(crate) fn new(
        gpu: Arc<Gpu>,
        element: Element,
        kept: Option<Arc<Kept>>,
    ) -> Result<WgpuLoop, BackendError> {
        let layout = packed_layout(&element);
        let this = WgpuLoop {
            gpu,
            element,
            kept,
            pipelines: Mutex::default(),
        };
        if layout.bindings() < this.gpu.limits.bindings {
            this.pipeline(&layout)?;
        }
        Ok(this)
    }

    fn inputs(&self) -> usize {
        self.element.params.len()
    }

    fn dtype(&self, operand: usize) -> DType {
        match self.element.params.get(operand) {
            Some((dtype, _)) => *dtype,
            None => self.element.results[operand - self.inputs()],
        }
    }

    fn operands(&self) -> usize {
        self.inputs() + self.element.results.len()
    }

    fn pipeline(&self, layout: &Layout) -> Result<Arc<Pipeline>, BackendError> {
        let mut pipelines = self
            .pipelines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = pipelines.get(layout) {
            return Ok(Arc::clone(found));
        }
        let text = entry::shader(&self.element, layout, &self.gpu.caps);
        let storage = layout.bindings() + u32::from(self.element.has_loop);
        let made = Arc::new(pipeline::build(
            &self.gpu,
            &text,
            storage,
            self.kept.as_deref(),
        )?);
        pipelines.insert(layout.clone(), Arc::clone(&made));
        Ok(made)
    }

    /// How many shaders there are.
    #[cfg(test)]
    pub(crate) fn shaders(&self) -> usize {
        let pipelines = self.pipelines.lock();
        pipelines.unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Most elements of a dispatch: the grid has two dims, and elements are counted in 32 bits.
    fn most_elements(&self) -> u64 {
        let across = u64::from(self.gpu.limits.workgroups);
        let all = across
            .saturating_mul(across)
            .saturating_mul(u64::from(WORKGROUP));
        all.min(1 << 31)
    }

    /// Whether operands need a binding in common.
    fn shares_binding(&self) -> bool {
        self.operands() + usize::from(self.element.has_loop) > self.gpu.limits.bindings as usize
    }

    /// The number of loop dims and the words of a dispatch over a part; `rows` has the strides of operands that have any.
    fn arguments(
        &self,
        part: &Part,
        (accesses, values, offsets): (&[Access], &[[u32; 4]], &[u64]),
        mut rows: Vec<Vec<i64>>,
        indices: &[(i64, &[i64])],
    ) -> (usize, Vec<u32>) {
        rows.extend(indices.iter().map(|(_, steps)| steps.to_vec()));
        let dims = Dims {
            extents: part.shape.clone(),
            rows,
        }
        .merged();
        let bases = indices.iter();
        let arguments = Arguments {
            dtypes: (0..self.operands()).map(|o| self.dtype(o)).collect(),
            accesses,
            values,
            offsets,
            dims: &dims,
            bases: bases
                .map(|(base, steps)| part.position(*base, steps))
                .collect(),
        };
        (dims.extents.len(), arguments.words())
    }

    /// Gives the device a dispatch and what follows it.
    fn submit(
        &self,
        dispatch: &Dispatch<'_>,
        before: impl FnOnce(&mut wgpu::CommandEncoder),
        after: impl FnOnce(&mut wgpu::CommandEncoder),
    ) -> Result<wgpu::SubmissionIndex, BackendError> {
        let gpu = &self.gpu;
        let pipeline = self.pipeline(&dispatch.layout)?;
        let group = u64::from(dispatch.layout.group);
        let workgroups = dispatch
            .elements
            .div_ceil(group)
            .div_ceil(u64::from(WORKGROUP)) as u32;
        let columns = workgroups.min(gpu.limits.workgroups);
        let rows = workgroups.div_ceil(columns);
        let mut words = dispatch.words.clone();
        words[..HEAD_WORDS].copy_from_slice(&[
            dispatch.elements as u32,
            columns * WORKGROUP,
            0,
            gpu.limits.turns,
        ]);
        words.resize(words.len().next_multiple_of(4), 0);
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let arguments = Lent::new(gpu, Use::Arguments, bytes.len() as u64)?;
        gpu.checked(0, || {
            gpu.queue.write_buffer(arguments.buffer(), 0, &bytes);
            let binding = |buffer, offset, size| {
                wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer,
                    offset,
                    size: std::num::NonZeroU64::new(size),
                })
            };
            let mut resources = vec![binding(arguments.buffer(), 0, bytes.len() as u64)];
            let memory = dispatch.bindings.iter();
            resources.extend(memory.map(|(buffer, offset, size)| binding(*buffer, *offset, *size)));
            if self.element.has_loop {
                resources.push(binding(dispatch.status, 0, 4));
            }
            let entries: Vec<wgpu::BindGroupEntry<'_>> = resources
                .into_iter()
                .enumerate()
                .map(|(i, resource)| wgpu::BindGroupEntry {
                    binding: i as u32,
                    resource,
                })
                .collect();
            let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.group,
                entries: &entries,
            });
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            before(&mut encoder);
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                pass.set_pipeline(&pipeline.raw);
                pass.set_bind_group(0, &group, &[]);
                pass.dispatch_workgroups(columns, rows, 1);
            }
            after(&mut encoder);
            gpu.queue.submit([encoder.finish()])
        })
    }

    fn turns_error(&self) -> BackendError {
        BackendError::LaunchFailed(turns_text(&self.gpu, &self.element.name))
    }
}

/// Operands one after another, as launches on plain arrays have them.
pub(crate) fn packed_layout(element: &Element) -> Layout {
    let operands = element.params.len() + element.results.len();
    let needs_dims = !element.positions.is_empty();
    Layout {
        rank: usize::from(needs_dims),
        operands: (0..operands as u32).map(Access::Linear).collect(),
        group: entry::group_of(&element.results),
    }
}

fn turns_text(gpu: &Gpu, kernel: &str) -> String {
    format!(
        "the loops of `{kernel}` do not end for some element within {} turns, or within as many as the driver of `wgpu:{}` \
         allows (65,535 on Mesa's llvmpipe)",
        gpu.limits.turns, gpu.name
    )
}

/// What a launch passes to a shader.
struct Arguments<'a> {
    dtypes: Vec<DType>,
    accesses: &'a [Access],
    values: &'a [[u32; 4]],
    /// In bytes, per operand in memory.
    offsets: &'a [u64],
    /// Rows of the operands with strides, then of the positions.
    dims: &'a Dims,
    bases: Vec<i64>,
}

impl Arguments<'_> {
    fn words(&self) -> Vec<u32> {
        let mut words = vec![0; HEAD_WORDS];
        words.extend(self.dims.extents.iter().map(|n| *n as u32));
        let mut rows = self.dims.rows.iter();
        for (operand, access) in self.accesses.iter().enumerate() {
            if *access == Access::Value {
                words.extend(self.values[operand]);
                continue;
            }
            let unit = if self.dtypes[operand].size() < 4 {
                1
            } else {
                4
            };
            words.push((self.offsets[operand] / unit) as u32);
            match access {
                Access::Strided(_) => {
                    let row = rows.next().expect("a row for each operand with strides");
                    words.extend(row.iter().map(|s| *s as u32));
                }
                _ => words.extend(self.dims.extents.iter().map(|_| 0)),
            }
        }
        for (base, row) in self.bases.iter().zip(rows) {
            for number in std::iter::once(base).chain(row) {
                words.extend([*number as u32, (*number >> 32) as u32]);
            }
        }
        words
    }
}

/// What shaders count an element in: words, or bytes where it is less than one.
fn units(dtype: DType) -> i64 {
    match dtype.size() {
        size @ (1 | 2) => size as i64,
        size => size as i64 / 4,
    }
}

fn value_words(bytes: &[u8]) -> [u32; 4] {
    let word = |i: usize| {
        bytes[4 * i..4 * i + 4]
            .try_into()
            .map_or(0, u32::from_le_bytes)
    };
    [word(0), word(1), word(2), word(3)]
}

impl Executable for WgpuLoop {
    unsafe fn launch(
        &self,
        args: &LaunchArgs<'_>,
        control: &LaunchControl<'_>,
    ) -> Result<LaunchReport, BackendError> {
        // SAFETY: the caller's promise is passed on.
        unsafe { self.launch_host(args, control) }
    }

    fn launch_on_device(
        &self,
        args: &DeviceArgs<'_>,
        control: &LaunchControl<'_>,
    ) -> Result<LaunchReport, BackendError> {
        self.launch_resident(args, control)
    }

    fn threads(&self, _elements: usize, _control: &LaunchControl<'_>) -> (usize, String) {
        (1, format!("the work is done by `wgpu:{}`", self.gpu.name))
    }

    fn inner_loop(&self) -> Option<InnerLoop> {
        None
    }
}

/// The flag that launches on device memory set where loops do not end.
fn device_status(gpu: &Gpu) -> Result<&wgpu::Buffer, BackendError> {
    if let Some(status) = gpu.status.get() {
        return Ok(status);
    }
    let made = Lent::unpooled(gpu, Use::Operand, 4)?;
    Ok(gpu.status.get_or_init(|| made))
}

/// Whether the loops of all launches on device memory so far have ended.
///
/// # Errors
/// [`BackendError::LaunchFailed`], once for each time that they have not.
pub(crate) fn check_status(gpu: &Gpu) -> Result<(), BackendError> {
    let Some(status) = gpu.status.get() else {
        return Ok(());
    };
    if !gpu.has_looped.swap(false, Ordering::AcqRel) {
        return Ok(());
    }
    let mut flag = [0; 4];
    memory::read(gpu, status, 0, &mut flag)?;
    if flag == [0; 4] {
        return Ok(());
    }
    memory::write(gpu, status, 0, &[0; 4])?;
    Err(BackendError::LaunchFailed(turns_text(gpu, "a kernel")))
}
