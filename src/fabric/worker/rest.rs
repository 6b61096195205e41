//! Who sends junk waits.
//!
//! Owns how much of the worker's time frames that go nowhere may take. Must not know what is junk, nor
//! what a device is.
//!
//! To find out that a frame goes nowhere costs about as much as to forward one, so a node that writes
//! nothing else, as fast as it can, would take the others' time, and its device, which is never empty,
//! their turns. So each device has an account of the time its junk took, and there is one of all junk.
//! Who overdraws the first, or sends junk while the second is overdrawn, is left alone for a while: what it
//! writes meanwhile waits in its device's queue, and what that does not hold is lost there, as in any
//! kernel that does not keep up (`tx_dropped`).
//!
//! So junk takes no more than a [`SHARE`]th of the thread's time once it goes on, whoever sends it. From one
//! node about 50,000 such frames a second are read without rest.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Junk may take one part in so many of the worker's time.
const SHARE: u64 = 20;
/// Time that a device's junk may take before that is asked, in ns.
const BURST_NS: u64 = 100_000;
/// No frame costs more than this, in ns: what a visit took longer, the host stood still, and a node whose
/// kernel only chatters must not rest for that.
pub(super) const FRAME_NS: u64 = 5_000;

/// What junk has cost beyond its share, in ns: that of a device, or that of all.
#[derive(Default)]
pub(super) struct Account {
    debt: u64,
    at: u64,
}

impl Account {
    /// Junk took `cost` ns up to `now`; how much of that is owed, when the account is overdrawn. That is paid
    /// by a rest, and half of a burst is left open, so that rests are few.
    fn charge(&mut self, cost: u64, now: u64) -> Option<u64> {
        let earned = now.saturating_sub(self.at) / SHARE;
        (self.debt, self.at) = (self.debt.saturating_sub(earned) + cost, now);
        let owed = self.debt.saturating_sub(BURST_NS / 2);
        (self.debt > BURST_NS).then_some(owed)
    }
}

/// Tokens of the devices that rest, by when that is over.
#[derive(Default)]
pub(super) struct Rests {
    until: BinaryHeap<Reverse<(u64, u64)>>,
    all: Account,
}

impl Rests {
    /// Charges the junk of the device `token`; whether it is to be left alone from now on.
    pub(super) fn charge(
        &mut self,
        account: &mut Account,
        token: u64,
        cost: u64,
        now: u64,
    ) -> bool {
        let all = self.all.charge(cost, now);
        // Where many send a little, each pays for what it sent.
        let Some(owed) = account.charge(cost, now).or(all.map(|_| cost)) else {
            return false;
        };
        // The more rest, the longer each does: together they have one share.
        let rest = owed.saturating_mul(SHARE * (1 + self.until.len() as u64));
        account.debt = account.debt.saturating_sub(owed);
        account.at = now.saturating_add(rest);
        self.until.push(Reverse((account.at, token)));
        true
    }

    /// When the next rest is over.
    pub(super) fn next(&self) -> Option<u64> {
        self.until.peek().map(|Reverse((until, _))| *until)
    }

    /// A device whose rest is over at `now`.
    pub(super) fn over(&mut self, now: u64) -> Option<u64> {
        self.next().filter(|until| *until <= now)?;
        self.until.pop().map(|Reverse((_, token))| token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Devices that are never empty, each visit of which costs so much; the share of a second that they took.
    fn share(devices: u64, cost: u64) -> f64 {
        let (mut rests, mut now, mut spent) = (Rests::default(), 1_000_000_000, 0);
        let mut accounts: Vec<Account> = (0..devices).map(|_| Account::default()).collect();
        let mut ready: Vec<u64> = (0..devices).collect();
        let end = now + 1_000_000_000;
        while now < end {
            for token in std::mem::take(&mut ready) {
                (now, spent) = (now + cost, spent + cost);
                let account = &mut accounts[token as usize];
                if !rests.charge(account, token, cost, now) {
                    ready.push(token);
                }
            }
            if ready.is_empty() {
                now = now.max(rests.next().unwrap());
            }
            ready.extend(std::iter::from_fn(|| rests.over(now)));
        }
        spent as f64 / 1e9
    }

    #[test]
    fn junk_takes_its_share_of_the_time_however_many_write_it() {
        for (devices, cost) in [
            (1, 500),
            (1, 8_000),
            (1, 300_000),
            (10, 4_000),
            (200, 4_000),
        ] {
            let share = share(devices, cost);
            // The first bursts, and no more than the share after them.
            let most = 0.055;
            assert!(
                (0.02..most).contains(&share),
                "{devices} at {cost}: {share}"
            );
        }
    }

    #[test]
    fn who_sends_little_junk_never_rests() {
        let (mut rests, mut account) = (Rests::default(), Account::default());
        for frame in 0..200_000 {
            let rests = rests.charge(&mut account, 0, 1_000, 1_000_000_000 + frame * 21_000);
            assert!(!rests, "at frame {frame}");
        }
        // Nor for a burst that fits, however long ago the last was.
        let burst = (0..100).any(|_| rests.charge(&mut account, 0, 900, 1 << 50));
        assert!(!burst);
        assert_eq!(rests.over(u64::MAX), None);
    }
}
