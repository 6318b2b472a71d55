//! States are stored as 128-bit hashes. Among a hundred million states, the chance that two share a hash is one in
//! 10^22.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// Returns the hash that identifies a state.
pub(super) fn identity(state: &impl Hash) -> u128 {
    let mut mixer = Mixer::default();
    state.hash(&mut mixer);
    // Zero is no identity.
    (u128::from(mixer.a) << 64 | u128::from(mixer.b)).max(1)
}

/// A set of identities.
///
/// Each is stored at the place that its low half names, or at the next free one, so that a query mostly reads one line of
/// memory. A set of all states is much larger than the processor's caches, and a `HashSet` reads two lines.
pub(super) struct Identities {
    /// A power of two; at most three quarters are taken. Zero is a free place.
    places: Vec<u128>,
    len: usize,
}

impl Default for Identities {
    fn default() -> Self {
        Self { places: vec![0; 64], len: 0 }
    }
}

impl Identities {
    pub(super) fn contains(&self, identity: u128) -> bool {
        self.places[self.place(identity)] == identity
    }

    /// Reads the places of all `identities` without a branch between them, so that the processor waits for all together.
    pub(super) fn load(&self, identities: impl Iterator<Item = u128>) {
        let mask = self.places.len() - 1;
        std::hint::black_box(identities.fold(0, |sum, identity| sum ^ self.places[identity as usize & mask]));
    }

    /// Adds `identity`. Returns `false` if the set already contains it.
    pub(super) fn insert(&mut self, identity: u128) -> bool {
        let place = self.place(identity);
        if self.places[place] == identity {
            return false;
        }
        self.places[place] = identity;
        self.len += 1;
        if self.len * 4 > self.places.len() * 3 {
            self.grow();
        }
        true
    }

    /// Returns the place of `identity`, or the free place for it.
    fn place(&self, identity: u128) -> usize {
        let mask = self.places.len() - 1;
        let mut place = identity as usize & mask;
        while self.places[place] != 0 && self.places[place] != identity {
            place = (place + 1) & mask;
        }
        place
    }

    fn grow(&mut self) {
        let larger = vec![0; self.places.len() * 2];
        for identity in std::mem::replace(&mut self.places, larger) {
            if identity != 0 {
                let place = self.place(identity);
                self.places[place] = identity;
            }
        }
    }
}

/// A map by identity.
pub(super) type Mixed<K, V> = HashMap<K, V, BuildHasherDefault<Low>>;

/// A map by small numbers, which have to be hashed.
pub(super) type Numbers<K, V> = HashMap<K, V, BuildHasherDefault<Mixer>>;

/// A hasher with two lanes of folded multiplication.
pub(super) struct Mixer {
    a: u64,
    b: u64,
}

impl Default for Mixer {
    fn default() -> Self {
        Self { a: 0x243F_6A88_85A3_08D3, b: 0x1319_8A2E_0370_7344 }
    }
}

fn fold(x: u64, y: u64) -> u64 {
    let product = u128::from(x) * u128::from(y);
    (product >> 64) as u64 ^ product as u64
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.a = fold(self.a ^ value, 0x9E37_79B9_7F4A_7C15).wrapping_add(0xA409_3822_299F_31D0);
        self.b = fold(self.b.rotate_left(23) ^ value, 0xD6E8_FEB8_6659_FD93).wrapping_add(0x082E_FA98_EC4E_6C89);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn finish(&self) -> u64 {
        self.a
    }
}

/// A hasher that returns the low half of an identity, which is already a hash.
#[derive(Default)]
pub(super) struct Low(u64);

impl Hasher for Low {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, value: u128) {
        self.0 = value as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
