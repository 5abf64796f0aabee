//! Streams and events: nothing is done before someone waits for it, and then no more than what must come before it.

use crate::memory::World;
use crate::{
    Answer, ENTRY, ILLEGAL_ADDRESS, INVALID_VALUE, LAUNCH_FAILED, LAUNCH_TIMEOUT,
    MISALIGNED_ADDRESS,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use ufc_ptx::{Module, Trap};

/// Instructions that one launch may take.
const BUDGET: u64 = 4_000_000_000;

/// A kernel with its parameters.
pub(crate) struct Launch {
    pub module: Arc<Module>,
    pub blocks: u32,
    pub threads: u32,
    pub params: Vec<u64>,
}

/// What a stream does.
pub(crate) enum Job {
    Upload {
        to: u64,
        from: usize,
        bytes: usize,
    },
    Download {
        to: usize,
        from: u64,
        bytes: usize,
    },
    Copy {
        to: u64,
        from: u64,
        bytes: usize,
    },
    Launch(Box<Launch>),
    /// Waits for a recording of an event.
    Wait(u64),
    /// Marks a recording as come by.
    Mark(u64),
}

/// All streams and events.
#[derive(Default)]
pub(crate) struct Streams {
    queues: BTreeMap<usize, VecDeque<Job>>,
    /// Per event, its last recording.
    events: BTreeMap<usize, Option<u64>>,
    /// Per recording that has not come by yet, its stream.
    pending: BTreeMap<u64, usize>,
    recordings: u64,
    handles: usize,
}

impl Streams {
    fn handle(&mut self) -> usize {
        self.handles += 1;
        self.handles
    }

    pub(crate) fn create(&mut self) -> usize {
        let handle = self.handle();
        self.queues.insert(handle, VecDeque::new());
        handle
    }

    pub(crate) fn create_event(&mut self) -> usize {
        let handle = self.handle();
        self.events.insert(handle, None);
        handle
    }

    pub(crate) fn destroy_event(&mut self, event: usize) -> Result<(), Answer> {
        self.events.remove(&event).map(|_| ()).ok_or(INVALID_VALUE)
    }

    pub(crate) fn push(&mut self, stream: usize, job: Job) -> Result<(), Answer> {
        let queue = self.queues.get_mut(&stream).ok_or(INVALID_VALUE)?;
        queue.push_back(job);
        Ok(())
    }

    pub(crate) fn record(&mut self, event: usize, stream: usize) -> Result<(), Answer> {
        self.recordings += 1;
        let recording = self.recordings;
        *self.events.get_mut(&event).ok_or(INVALID_VALUE)? = Some(recording);
        self.pending.insert(recording, stream);
        self.push(stream, Job::Mark(recording))
    }

    pub(crate) fn wait_event(&mut self, stream: usize, event: usize) -> Result<(), Answer> {
        match self.events.get(&event).ok_or(INVALID_VALUE)? {
            Some(recording) => {
                let recording = *recording;
                self.push(stream, Job::Wait(recording))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn wait_for_stream(
        &mut self,
        stream: usize,
        world: &mut World,
    ) -> Result<(), Answer> {
        loop {
            let queue = self.queues.get_mut(&stream).ok_or(INVALID_VALUE)?;
            match queue.pop_front() {
                Some(job) => self.run(job, world)?,
                None => return Ok(()),
            }
        }
    }

    pub(crate) fn wait_for_event(&mut self, event: usize, world: &mut World) -> Result<(), Answer> {
        match *self.events.get(&event).ok_or(INVALID_VALUE)? {
            Some(recording) => self.reach(recording, world),
            None => Ok(()),
        }
    }

    pub(crate) fn wait_for_all(&mut self, world: &mut World) -> Result<(), Answer> {
        let streams: Vec<usize> = self.queues.keys().copied().collect();
        streams
            .into_iter()
            .try_for_each(|stream| self.wait_for_stream(stream, world))
    }

    /// Does what comes before a recording in its stream.
    fn reach(&mut self, recording: u64, world: &mut World) -> Result<(), Answer> {
        while let Some(stream) = self.pending.get(&recording).copied() {
            let queue = self.queues.get_mut(&stream).ok_or(INVALID_VALUE)?;
            let job = queue.pop_front().ok_or(INVALID_VALUE)?;
            self.run(job, world)?;
        }
        Ok(())
    }

    #[expect(unsafe_code, reason = "copies are from and to memory of the host")]
    fn run(&mut self, job: Job, world: &mut World) -> Result<(), Answer> {
        match job {
            Job::Wait(recording) => self.reach(recording, world),
            Job::Mark(recording) => {
                self.pending.remove(&recording);
                Ok(())
            }
            Job::Upload { to, from, bytes } => {
                let from = std::ptr::with_exposed_provenance::<u8>(from);
                let copied = world.with(to, bytes, |block| {
                    // SAFETY: whoever asked for the copy keeps the memory until it is done.
                    unsafe { std::ptr::copy_nonoverlapping(from, block.as_mut_ptr(), bytes) };
                });
                copied.ok_or(ILLEGAL_ADDRESS)
            }
            Job::Download { to, from, bytes } => {
                let to = std::ptr::with_exposed_provenance_mut::<u8>(to);
                let copied = world.with(from, bytes, |block| {
                    // SAFETY: whoever asked for the copy keeps the memory until it is done.
                    unsafe { std::ptr::copy_nonoverlapping(block.as_ptr(), to, bytes) };
                });
                copied.ok_or(ILLEGAL_ADDRESS)
            }
            Job::Copy { to, from, bytes } => {
                let found = world.with(from, bytes, |block| block.to_vec());
                let found = found.ok_or(ILLEGAL_ADDRESS)?;
                let copied = world.with(to, bytes, |block| block.copy_from_slice(&found));
                copied.ok_or(ILLEGAL_ADDRESS)
            }
            Job::Launch(launch) => {
                let Launch {
                    module,
                    blocks,
                    threads,
                    params,
                } = *launch;
                let kernel = module.kernel(ENTRY).ok_or(INVALID_VALUE)?;
                kernel
                    .run(blocks, threads, &params, world, BUDGET)
                    .map_err(|trap| match trap {
                        Trap::IllegalAddress(_) => ILLEGAL_ADDRESS,
                        Trap::Misaligned(_) => MISALIGNED_ADDRESS,
                        Trap::Unwritten(_) => LAUNCH_FAILED,
                        Trap::Endless => LAUNCH_TIMEOUT,
                    })
            }
        }
    }
}
