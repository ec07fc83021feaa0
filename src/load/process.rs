//! What the kernel counts of a process.

use std::fs;

use anyhow::{Context as _, ensure};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// A process whose cost is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Process(pub(super) u32);

impl Process {
    /// Proportional memory in KiB: what it shares with others counts in parts.
    pub(super) fn memory_kib(self) -> anyhow::Result<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.0))
            .with_context(|| format!("cannot read the memory of process {}", self.0))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
        line.trim().trim_end_matches(" kB").parse().context("an odd Pss")
    }

    /// Milliseconds of CPU, user and system.
    pub(super) fn cpu_ms(self) -> anyhow::Result<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))
            .with_context(|| format!("cannot read the CPU time of process {}", self.0))?;
        let (_, fields) = stat.rsplit_once(')').context("an odd stat")?;
        let mut fields = fields.split_whitespace().skip(11);
        let mut ticks = || -> anyhow::Result<u64> { Ok(fields.next().context("no time")?.parse()?) };
        // In the ticks of a hundredth that Linux shows to programs.
        Ok((ticks()? + ticks()?) * 10)
    }
}

/// Nanoseconds of CPU that this thread has used.
pub(super) fn own_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, ns) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    seconds.unwrap_or_default() * 1_000_000_000 + ns.unwrap_or_default()
}

/// Which CPUs the generator has for itself, and which the server.
pub(super) struct Pins {
    generator: CpuSet,
    server: CpuSet,
}

impl Pins {
    /// The last one that this process may use is the generator's.
    pub(super) fn find() -> anyhow::Result<Self> {
        let mut server = sched_getaffinity(None).context("cannot tell which CPUs there are")?;
        let last = (0..CpuSet::MAX_CPU).rev().find(|cpu| server.is_set(*cpu)).unwrap_or_default();
        ensure!(server.count() > 1, "there is one CPU, which the generator and the server have to share");
        server.unset(last);
        let mut generator = CpuSet::new();
        generator.set(last);
        Ok(Self { generator, server })
    }

    /// Moves this thread, and what it starts from now on, to the server's.
    pub(super) fn of_server(&self) -> anyhow::Result<()> {
        sched_setaffinity(None, &self.server).context("cannot choose a CPU")
    }

    /// The same to the generator's.
    pub(super) fn of_generator(&self) -> anyhow::Result<()> {
        sched_setaffinity(None, &self.generator).context("cannot choose a CPU")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_time() {
        let own = Process(std::process::id());
        assert!(own.memory_kib().unwrap() > 100);
        own.cpu_ms().unwrap();
        let before = own_cpu_ns();
        while own_cpu_ns() == before {}
    }
}
