//! Seeded randomness: SplitMix64. The only dice in layers 0 to 3, so that every run can be replayed from its seed.

/// A small deterministic generator. Split it per component, so that one component's draws do not shift another's.
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// A generator that always gives the same sequence for the same seed.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 when `n` is 0. The bias is below `n / 2^64`.
    pub const fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        ((self.next() as u128 * n as u128) >> 64) as u64
    }

    /// True `n` times in `of` on average.
    pub const fn chance(&mut self, n: u64, of: u64) -> bool {
        self.below(of) < n
    }

    /// An independent generator named by `label`.
    #[must_use]
    pub fn split(&self, label: &str) -> Self {
        let mut seed = self.state ^ 0xA076_1D64_78BD_642F;
        for byte in label.bytes() {
            seed = (seed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
        let mut dice = Self::new(seed);
        let _ = dice.next();
        dice
    }

    /// One of `choices`. The slice must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let at = usize::try_from(self.below(choices.len() as u64)).expect("an index fits");
        &choices[at]
    }
}
