//! A counter-based random generator: number `i` of stream `s` can be had alone, and is the same on every machine.
//!
//! Only integer operations, additions and exact scalings are used, no logarithm or cosine whose last bit depends on
//! the system's mathematics library.

/// Scrambles a counter into 64 random bits: the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
#[must_use]
pub fn mix(counter: u64) -> u64 {
    let mut bits = counter.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// One stream of random numbers, named by a seed and an index; streams are independent for all purposes here.
#[derive(Debug, Clone)]
pub struct Stream {
    key: u64,
    next: u64,
}

impl Stream {
    /// Stream `index` of `seed`.
    #[must_use]
    pub fn new(seed: u64, index: u64) -> Self {
        Self { key: mix(mix(seed) ^ index), next: 0 }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let bits = mix(self.key ^ self.next.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        self.next += 1;
        bits
    }

    /// Uniform from 0 inclusive to 1 exclusive.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Mean 0, variance 1, nearly normal: the scaled sum of twelve uniforms of 16 bits (Irwin and Hall). Its tails end at
    /// about 6; mixed over many components, as templates are, nothing of that is left.
    pub fn normal(&mut self) -> f32 {
        let mut sum = 0_i64;
        for _ in 0..3 {
            let bits = self.bits();
            sum += (0..4).map(|part| (bits >> (16 * part) & 0xFFFF) as i64).sum::<i64>();
        }
        // Twelve uniforms on 0..=65535: mean 12 * 32767.5, variance 12 * (65536^2 - 1) / 12.
        (sum - 393_210) as f32 * (1.0 / 65_536.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_never_change() {
        let mut stream = Stream::new(1, 2);
        let bits: Vec<u64> = (0..3).map(|_| stream.bits()).collect();
        let mut again = Stream::new(1, 2);
        assert_eq!(bits, (0..3).map(|_| again.bits()).collect::<Vec<u64>>());
        assert_eq!(mix(0), 0xE220_A839_7B1D_CDAF, "SplitMix64's published first output for seed 0");
        assert_ne!(Stream::new(1, 3).bits(), bits[0]);
    }

    #[test]
    fn normal_has_the_right_moments() {
        let mut stream = Stream::new(7, 0);
        let count = 200_000;
        let (mut sum, mut squares, mut beyond_two) = (0.0_f64, 0.0_f64, 0);
        for _ in 0..count {
            let value = f64::from(stream.normal());
            sum += value;
            squares += value * value;
            beyond_two += usize::from(value.abs() > 2.0);
        }
        let n = f64::from(count);
        assert!((sum / n).abs() < 0.01, "mean {}", sum / n);
        assert!((squares / n - 1.0).abs() < 0.01, "variance {}", squares / n);
        // 4.55 % for a normal distribution; twelve uniforms give 4.6 %.
        assert!((beyond_two as f64 / n - 0.0455).abs() < 0.004);
    }

    #[test]
    fn uniform_stays_in_range() {
        let mut stream = Stream::new(3, 3);
        assert!((0..10_000).map(|_| stream.uniform()).all(|value| (0.0..1.0).contains(&value)));
    }
}
