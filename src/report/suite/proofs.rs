//! What `--prove-checks` found out about the checks of one file.

use crate::check::{Judgement, Proof};
use serde::Serialize;

/// A check, and where it says something else than of the lab as it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckProof {
    /// Its name.
    pub check: String,
    /// What it says of the lab as it is.
    pub verdict: Judgement,
    /// Whether it can say something else.
    pub proven: bool,
    /// The runs in which it does.
    pub differs: Vec<Differing>,
    /// How many other runs there were.
    pub runs: usize,
}

/// A run in which a check says something else.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Differing {
    /// What was different in it: `without server-loss`.
    pub run: String,
    /// What the check says of it.
    pub verdict: Judgement,
}

impl CheckProof {
    /// Out of so many other runs.
    pub fn new(proof: &Proof, runs: usize) -> CheckProof {
        let differs = proof.differs.iter().map(|(variation, verdict)| Differing {
            run: variation.to_string(),
            verdict: *verdict,
        });
        CheckProof {
            check: proof.check.clone(),
            verdict: proof.verdict,
            proven: proof.is_proven(),
            differs: differs.collect(),
            runs,
        }
    }

    /// What is known, in one sentence.
    pub fn sentence(&self) -> String {
        let word = self.verdict.as_str();
        let other = |one: &Differing| format!("{} {}", one.verdict.as_str(), one.run);
        let others: Vec<String> = self.differs.iter().map(other).collect();
        match (self.proven, self.runs) {
            (true, _) => format!("{word}, but {}", others.join(", ")),
            (false, 0) => format!("proves nothing: {word}, and there is no fault to leave out"),
            (false, runs) => format!(
                "proves nothing: {word}, and nothing else in {runs} runs with a fault left out or never healed"
            ),
        }
    }
}
