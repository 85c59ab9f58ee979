//! The import graph: how many modules stand in each layer, and who imports whom.
use super::ModuleId;
use crate::random::Random;

/// Widest top layer; `main` imports all of it.
const TOP_MAX: usize = 24;
/// Each layer is about this much wider than the one above, when the number of layers is free.
const WIDENING: f64 = 3.0;
/// Imports beyond those that a module owns.
const EXTRA_IMPORTS_MAX: i64 = 2;

/// Sizes of the layers from the bottom up; their sum is `count`. `layers` 0 chooses how many.
///
/// Layers widen downwards by a constant factor, found by bisection.
pub(super) fn layer_sizes(count: usize, layers: usize) -> Vec<usize> {
    let top = (((count as f64).sqrt() / 2.0).ceil() as usize).clamp(1, TOP_MAX).min(count);
    let wanted = match layers {
        0 => ((count as f64 / top as f64).ln() / WIDENING.ln()).ceil() as usize + 1,
        layers => layers,
    };
    let layers = wanted.clamp(1, count);
    // A narrower top where there are more layers than its width allows for.
    let top = top.min(count / layers).max(1);
    let sum = |factor: f64| (0..layers).map(|layer| top as f64 * factor.powi(layer as i32)).sum::<f64>();
    let (mut low, mut high) = (1.0, count as f64);
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if sum(middle) < count as f64 { low = middle } else { high = middle }
    }
    // Rounded down, so that the rest goes to the bottom, the widest.
    let mut sizes: Vec<usize> =
        (0..layers).rev().map(|layer| ((top as f64 * low.powi(layer as i32)) as usize).max(1)).collect();
    let above: usize = sizes.iter().skip(1).sum();
    sizes[0] = count.saturating_sub(above).max(1);
    sizes
}

/// The part of `ids` that the module at `at` of `size` owns. The parts of all are the whole.
pub(super) fn share(ids: &[ModuleId], at: usize, size: usize) -> &[ModuleId] {
    &ids[at * ids.len() / size..(at + 1) * ids.len() / size]
}

/// The owned modules and a few of any layer below.
pub(super) fn imports(owned: &[ModuleId], below: &[Vec<ModuleId>], random: &mut Random) -> Vec<ModuleId> {
    let mut imports = owned.to_vec();
    for _ in 0..random.range(0, EXTRA_IMPORTS_MAX + 1) {
        let layer = random.choose(below).map_or(&[][..], Vec::as_slice);
        if let Some(id) = random.choose(layer)
            && !imports.contains(id)
        {
            imports.push(*id);
        }
    }
    imports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_hold_all_modules_and_widen_downwards() {
        for count in [1, 2, 7, 50, 997, 9_997] {
            for layers in [0, 1, 3, 8] {
                let sizes = layer_sizes(count, layers);
                assert_eq!(sizes.iter().sum::<usize>(), count, "{count} in {layers}: {sizes:?}");
                assert!(sizes.windows(2).all(|pair| pair[0] >= pair[1]), "{sizes:?}");
            }
        }
    }
}
