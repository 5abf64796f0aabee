//! Memory of the devices: each block with forbidden bytes around it, new ones full of nonsense unless they are huge.

use crate::{Answer, INVALID_VALUE};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Where the devices' addresses begin: far from anything of the host.
const BASE: u64 = 1 << 44;
/// Blocks are this far apart at least.
const GAP: u64 = 1 << 16;
/// What new memory is full of.
const POISON: u8 = 0xc7;
/// Blocks of so many bytes are full of zeros, for which the host need not have memory.
const HUGE: usize = 1 << 30;

/// What the driver says of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// A CUmemorytype: 1 for the host, 2 for a device, 0 for neither.
    pub kind: u32,
    pub context: usize,
    pub ordinal: i32,
    pub is_managed: bool,
}

/// All memory that was asked for.
pub(crate) struct World {
    capacity: usize,
    used: usize,
    next: u64,
    blocks: RefCell<BTreeMap<u64, Vec<u8>>>,
    host: BTreeMap<usize, Vec<u64>>,
    /// Where each block is.
    places: BTreeMap<u64, Place>,
}

impl World {
    pub(crate) fn new(capacity: usize) -> World {
        World {
            capacity,
            used: 0,
            next: BASE,
            blocks: RefCell::default(),
            host: BTreeMap::new(),
            places: BTreeMap::new(),
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn free_bytes(&self) -> usize {
        self.capacity - self.used
    }

    /// Memory aligned to 256 bytes, as the driver's is; none if the device has no more.
    pub(crate) fn allocate(&mut self, bytes: usize, place: Place) -> Option<u64> {
        if bytes == 0 || bytes > self.capacity - self.used {
            return None;
        }
        self.used += bytes;
        let address = self.next;
        self.next += (bytes as u64).next_multiple_of(256) + GAP;
        let fill = if bytes < HUGE { POISON } else { 0 };
        self.blocks.get_mut().insert(address, vec![fill; bytes]);
        self.places.insert(address, place);
        Some(address)
    }

    pub(crate) fn free(&mut self, address: u64) -> Result<(), Answer> {
        let block = self
            .blocks
            .get_mut()
            .remove(&address)
            .ok_or(INVALID_VALUE)?;
        self.used -= block.len();
        Ok(())
    }

    pub(crate) fn allocate_host(&mut self, bytes: usize) -> *mut u8 {
        let mut block = vec![0xc7c7_c7c7_c7c7_c7c7u64; bytes.div_ceil(8).max(1)];
        let pointer: *mut u8 = block.as_mut_ptr().cast();
        self.host.insert(pointer.expose_provenance(), block);
        pointer
    }

    pub(crate) fn free_host(&mut self, pointer: *mut u8) -> Result<(), Answer> {
        let found = self.host.remove(&pointer.addr());
        found.map(drop).ok_or(INVALID_VALUE)
    }

    /// What an address is of: a block, or memory of the host that was asked for here.
    pub(crate) fn place_of(&self, address: u64) -> Place {
        if self.check(address, 1).is_ok() {
            let known = self.places.range(..=address).next_back();
            return known.map(|(_, place)| *place).unwrap_or_default();
        }
        let before = self.host.range(..=address as usize).next_back();
        let is_host =
            before.is_some_and(|(start, block)| address as usize - start < 8 * block.len());
        Place {
            kind: u32::from(is_host),
            ordinal: -2,
            ..Place::default()
        }
    }

    /// Whether so many bytes at an address are one block's.
    pub(crate) fn check(&self, address: u64, bytes: usize) -> Result<(), Answer> {
        let checked = self.with(address, bytes, |_| ());
        checked.ok_or(INVALID_VALUE)
    }

    /// Does something with bytes of a block; none if they are not all in it.
    pub(crate) fn with<T>(
        &self,
        address: u64,
        bytes: usize,
        body: impl FnOnce(&mut [u8]) -> T,
    ) -> Option<T> {
        let mut blocks = self.blocks.borrow_mut();
        let (start, block) = blocks.range_mut(..=address).next_back()?;
        let offset = (address - start) as usize;
        let range = offset..offset.checked_add(bytes)?;
        Some(body(block.get_mut(range)?))
    }
}

impl ufc_ptx::Memory for World {
    fn load(&self, address: u64, bytes: usize) -> Option<u64> {
        self.with(address, bytes, |found| {
            let mut word = [0; 8];
            word[..bytes].copy_from_slice(found);
            u64::from_le_bytes(word)
        })
    }

    fn store(&self, address: u64, bytes: usize, value: u64) -> Option<()> {
        self.with(address, bytes, |found| {
            found.copy_from_slice(&value.to_le_bytes()[..bytes]);
        })
    }
}
