//! Drawing people with replacement, on one side or on two: what belongs to two people at once counts as often as both were
//! drawn together.
//!
//! A non-mated search belongs to the person searched for and to the person whom it returned first. Drawing both sides, each by
//! itself, and weighing every search by the product of its two people's draws is the pigeonhole bootstrap (Owen 2007, Annals of
//! Applied Statistics 1, 386-411). No resampling of crossed data is exact. This one is rather too wide than too narrow: up to √3
//! where nobody on either side stands out.

use crate::evaluation::random::Stream;

/// Draws as many as there are places in `times`, with replacement: each place gets how often it was drawn.
pub fn draw(stream: &mut Stream, times: &mut [u32]) {
    times.fill(0);
    let count = times.len() as u128;
    for _ in 0..times.len() {
        let place = ((u128::from(stream.bits()) * count) >> 64) as usize;
        if let Some(drawn) = times.get_mut(place) {
            *drawn += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_drawn_as_there_are_and_all_alike() {
        let (mut sums, mut squares, mut times) = ([0_u32; 7], [0_u32; 7], [0_u32; 7]);
        for index in 0..20_000 {
            draw(&mut Stream::new(3, index), &mut times);
            assert_eq!(times.iter().sum::<u32>(), 7);
            for (place, drawn) in times.iter().enumerate() {
                sums[place] += drawn;
                squares[place] += drawn * drawn;
            }
        }
        // Binomial (7, 1/7): mean 1, variance 6/7; standard deviations of the two means are 0.0065 and 0.02.
        for (sum, square) in sums.iter().zip(squares) {
            let mean = f64::from(*sum) / 20_000.0;
            assert!((mean - 1.0).abs() < 0.033, "{mean}");
            assert!((f64::from(square) / 20_000.0 - mean * mean - 6.0 / 7.0).abs() < 0.08);
        }
        draw(&mut Stream::new(3, 0), &mut []);
    }
}
