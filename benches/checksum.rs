//! Throughput of the four checksums, at several block sizes.

// criterion_group! generates a function without documentation.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use towpath::{Algorithm, Hasher};

fn checksums(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("checksum");
    group.sample_size(20).measurement_time(std::time::Duration::from_secs(2));
    for block_size_bytes in [4 << 10, 64 << 10, 1 << 20, 5 << 20] {
        let block: Vec<u8> = (0..block_size_bytes).map(|i: usize| (i * 31) as u8).collect();
        group.throughput(Throughput::Bytes(block_size_bytes as u64));
        for algorithm in Algorithm::ALL {
            let id = BenchmarkId::new(algorithm.name(), format!("{} KiB", block_size_bytes >> 10));
            group.bench_with_input(id, &block, |bencher, block| {
                bencher.iter(|| black_box(Hasher::hash(algorithm, block)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, checksums);
criterion_main!(benches);
