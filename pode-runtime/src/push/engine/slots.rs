//! A table whose values keep their slots.
//!
//! It costs memory, and time to walk, by the values that are there: slots are
//! allocated in pages, and a new value takes the first free one. The walk is in
//! the order of memory.

use std::iter;
use std::ops::{Index, IndexMut};

use super::shrink::shrink;

/// How many slots are allocated at once. A page of clients has some 2 KiB.
const PAGE: usize = 16;

/// How many slots share a word of `taken`.
const WORD: usize = u64::BITS as usize;

#[derive(Debug)]
pub(super) struct Slots<T> {
    /// A bit for each slot. The last word isn't zero.
    taken: Vec<u64>,
    /// Those of all words; absent where no slot is taken.
    pages: Vec<Option<Box<[Option<T>; PAGE]>>>,
    /// The words before this one are full.
    first_free: usize,
}

impl<T> Slots<T> {
    pub(super) const fn new() -> Slots<T> {
        Slots { taken: Vec::new(), pages: Vec::new(), first_free: 0 }
    }

    /// Returns the slot of the inserted value.
    pub(super) fn insert(&mut self, value: T) -> u32 {
        while self.taken.get(self.first_free) == Some(&u64::MAX) {
            self.first_free += 1;
        }
        let word = self.first_free;
        if word == self.taken.len() {
            self.taken.push(0);
            self.pages.resize_with(self.taken.len() * WORD / PAGE, || None);
        }
        let bit = self.taken[word].trailing_ones() as usize;
        self.taken[word] |= 1 << bit;
        let slot = word * WORD + bit;
        let page = self.pages[slot / PAGE].get_or_insert_with(|| Box::new([const { None }; PAGE]));
        page[slot % PAGE] = Some(value);
        slot as u32
    }

    pub(super) fn remove(&mut self, slot: u32) -> Option<T> {
        let slot = slot as usize;
        let value = self.pages.get_mut(slot / PAGE)?.as_mut()?[slot % PAGE].take()?;
        let word = slot / WORD;
        self.taken[word] &= !(1 << (slot % WORD));
        self.first_free = self.first_free.min(word);
        let bits = self.taken[word] >> (slot % WORD / PAGE * PAGE);
        if bits.trailing_zeros() as usize >= PAGE {
            self.pages[slot / PAGE] = None;
        }
        while self.taken.last() == Some(&0) {
            self.taken.pop();
        }
        self.pages.truncate(self.taken.len() * WORD / PAGE);
        shrink!(self.taken);
        shrink!(self.pages);
        Some(value)
    }

    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        let slot = slot as usize;
        self.pages.get(slot / PAGE)?.as_ref()?[slot % PAGE].as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        let slot = slot as usize;
        self.pages.get_mut(slot / PAGE)?.as_mut()?[slot % PAGE].as_mut()
    }

    /// Returns the first taken slot that isn't before this one.
    pub(super) fn first_from(&self, slot: u32) -> Option<u32> {
        let slot = slot as usize;
        let mut word = slot / WORD;
        let mut bits = self.taken.get(word)? & u64::MAX << (slot % WORD);
        while bits == 0 {
            word += 1;
            bits = *self.taken.get(word)?;
        }
        Some((word * WORD) as u32 + bits.trailing_zeros())
    }

    /// Returns the taken slots.
    pub(super) fn taken(&self) -> impl Iterator<Item = u32> {
        iter::successors(self.first_from(0), |slot| self.first_from(slot + 1))
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> + use<'_, T> {
        let pages = std::mem::replace(self, Slots::new()).pages;
        pages.into_iter().flatten().flat_map(|page| page.into_iter().flatten())
    }
}

impl<T> Index<u32> for Slots<T> {
    type Output = T;

    fn index(&self, slot: u32) -> &T {
        self.get(slot).expect("the slot is taken")
    }
}

impl<T> IndexMut<u32> for Slots<T> {
    fn index_mut(&mut self, slot: u32) -> &mut T {
        self.get_mut(slot).expect("the slot is taken")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Compares the table with an ordered map.
        #[test]
        fn a_value_is_found_in_its_slot(steps in prop::collection::vec((any::<bool>(), 0..400_u32), 0..600)) {
            let mut slots = Slots::new();
            let mut expected = BTreeMap::new();
            for (inserts, number) in steps {
                if inserts {
                    let slot = slots.insert(number);
                    let first_free = (0..).find(|slot| !expected.contains_key(slot));
                    prop_assert_eq!(Some(slot), first_free);
                    expected.insert(slot, number);
                } else {
                    prop_assert_eq!(slots.remove(number), expected.remove(&number));
                }
                prop_assert_eq!(slots.get(number), expected.get(&number));
                prop_assert_eq!(slots.get_mut(number), expected.get_mut(&number));
                let from = expected.range(number..).next().map(|(slot, _)| *slot);
                prop_assert_eq!(slots.first_from(number), from);
            }
            prop_assert!(slots.taken().eq(expected.keys().copied()));
            let pages = slots.pages.iter().flatten().count();
            prop_assert!(pages <= expected.len());
            prop_assert!(slots.drain().eq(expected.into_values()));
            prop_assert_eq!(slots.first_from(0), None);
        }
    }

    /// Ten of 100,000 clients that stay hold ten pages.
    #[test]
    fn after_a_peak_the_memory_is_returned() {
        let mut slots = Slots::new();
        for number in 0..100_000 {
            slots.insert(number);
        }
        for slot in (0..100_000).filter(|slot| slot % 10_000 != 0) {
            slots.remove(slot);
        }
        assert_eq!(slots.pages.iter().flatten().count(), 10);
        assert!(slots.taken.len() <= 90_000 / WORD + 1);
        for slot in slots.taken().collect::<Vec<_>>() {
            slots.remove(slot);
        }
        assert!(slots.taken.capacity() <= 64 && slots.pages.capacity() <= 64);
    }
}
