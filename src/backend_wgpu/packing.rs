//! Elements between host memory of any strides and the packed form that devices are given.
#![expect(
    unsafe_code,
    reason = "operands of a launch are raw addresses that the caller vouches for"
)]

/// Elements in host memory: an address, a size, and an extent and a step in bytes for each dim.
#[derive(Clone, Debug)]
pub(crate) struct Strided<'a> {
    pub(crate) pointer: *mut u8,
    pub(crate) size: usize,
    pub(crate) dims: &'a [(usize, isize)],
}

impl Strided<'_> {
    /// Number of elements.
    pub(crate) fn count(&self) -> usize {
        self.dims.iter().map(|(extent, _)| extent).product()
    }

    /// The dims before those along which elements lie one after another, and how many bytes those are.
    fn runs(&self) -> (&[(usize, isize)], usize) {
        let mut run = self.size;
        let mut outer = self.dims;
        while let Some((&(extent, step), rest)) = outer.split_last() {
            if extent != 1 && step != run as isize {
                break;
            }
            run *= extent;
            outer = rest;
        }
        (outer, run)
    }

    /// The elements as they are in memory, if they lie one after another.
    ///
    /// # Safety
    /// Every element is readable, and not written while the slice is in use.
    pub(crate) unsafe fn whole(&self) -> Option<&[u8]> {
        let (outer, run) = self.runs();
        // SAFETY: the elements follow each other from the first, so these bytes are theirs alone.
        outer
            .is_empty()
            .then(|| unsafe { std::slice::from_raw_parts(self.pointer, run) })
    }

    /// Copies the elements one after another to the end of `to`.
    ///
    /// # Safety
    /// Every element is readable.
    pub(crate) unsafe fn gather(&self, to: &mut Vec<u8>) {
        let (outer, run) = self.runs();
        let start = to.len();
        to.resize(start + self.count() * self.size, 0);
        let mut next = to[start..].as_mut_ptr();
        each_offset(outer, |offset| {
            // SAFETY: the run at this offset is `run` bytes of elements, which are readable; `to` has been made long enough
            // for all runs.
            unsafe {
                copy(self.pointer.offset(offset), next, run);
                next = next.add(run);
            }
        });
    }

    /// Copies elements that follow each other in `from` to their places.
    ///
    /// # Safety
    /// Every element is writable.
    ///
    /// # Panics
    /// If `from` is too short.
    pub(crate) unsafe fn scatter(&self, from: &[u8]) {
        let (outer, run) = self.runs();
        assert!(from.len() >= self.count() * self.size);
        let mut next = from.as_ptr();
        each_offset(outer, |offset| {
            // SAFETY: the run at this offset is `run` bytes of elements, which are writable; `from` has been checked to have
            // bytes for all runs.
            unsafe {
                copy(next, self.pointer.offset(offset), run);
                next = next.add(run);
            }
        });
    }
}

/// Copies bytes; the sizes of elements are known to the compiler, so that they take no call.
///
/// # Safety
/// As [`std::ptr::copy_nonoverlapping`].
unsafe fn copy(from: *const u8, to: *mut u8, bytes: usize) {
    // SAFETY: the caller vouches for `bytes` bytes on both sides.
    unsafe {
        match bytes {
            1 => to.write(from.read()),
            2 => to.cast::<[u8; 2]>().write(from.cast::<[u8; 2]>().read()),
            4 => to.cast::<[u8; 4]>().write(from.cast::<[u8; 4]>().read()),
            8 => to.cast::<[u8; 8]>().write(from.cast::<[u8; 8]>().read()),
            _ => std::ptr::copy_nonoverlapping(from, to, bytes),
        }
    }
}

/// Calls `f` with the offset of each position, the last dim fastest.
fn each_offset(dims: &[(usize, isize)], mut f: impl FnMut(isize)) {
    if dims.iter().any(|(extent, _)| *extent == 0) {
        return;
    }
    let Some((&(inner, step), outer)) = dims.split_last() else {
        return f(0);
    };
    let mut position = vec![0; outer.len()];
    let mut base = 0isize;
    loop {
        let mut offset = base;
        for _ in 0..inner {
            f(offset);
            offset = offset.wrapping_add(step);
        }
        let mut dim = outer.len();
        loop {
            let Some(d) = dim.checked_sub(1) else { return };
            let (extent, step) = outer[d];
            position[d] += 1;
            base = base.wrapping_add(step);
            if position[d] < extent {
                break;
            }
            base = base.wrapping_sub(step.wrapping_mul(extent as isize));
            position[d] = 0;
            dim = d;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_any_strides_come_and_go() {
        let mut memory: Vec<u8> = (0..200).collect();
        let steps: [&[(usize, isize)]; 6] = [
            &[],
            &[(5, 2)],
            &[(3, 40), (4, -6)],
            &[(2, 100), (3, 0), (4, 2)],
            &[(3, 8), (4, 2)],
            &[(0, 2), (3, 6)],
        ];
        for dims in steps {
            let operand = Strided {
                pointer: memory[60..].as_mut_ptr(),
                size: 2,
                dims,
            };
            let mut packed = Vec::new();
            // SAFETY: every offset is within `memory`.
            unsafe { operand.gather(&mut packed) };
            let mut expected = Vec::new();
            let mut places = vec![0isize];
            for &(extent, step) in dims {
                places = places
                    .iter()
                    .flat_map(|p| (0..extent as isize).map(move |i| p + i * step))
                    .collect();
            }
            for place in &places {
                let at = (60 + place) as u8;
                expected.extend([at, at + 1]);
            }
            assert_eq!(packed, expected, "{dims:?}");
            // SAFETY: as above.
            let whole = unsafe { operand.whole() }.is_some();
            let is_whole = dims.is_empty() || dims == [(5, 2)] || dims == [(3, 8), (4, 2)];
            assert_eq!(whole, is_whole, "{dims:?}");
            let changed: Vec<u8> = packed.iter().map(|b| b ^ 0xff).collect();
            // SAFETY: as above; elements that overlap are given the same bytes.
            unsafe { operand.scatter(&changed) };
            for place in places {
                let at = (60 + place) as usize;
                assert_eq!(memory[at], !(at as u8), "{dims:?}");
            }
            memory = (0..200).collect();
        }
    }
}
