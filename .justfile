# just: short names for the commands of the README and of continuous integration.

# Everything that a change must pass.
ci:
    .ci/run

# And every topology, repeats and the slow tests.
full:
    .ci/run full

# Figures: up and down against the engine's floor, the fabric against a bare veth pair.
bench:
    cargo bench --bench updown --bench fabric --bench accuracy

# Rewrite the goldens after a wanted change; read the diff.
goldens:
    UPDATE_GOLDENS=1 cargo test --release --test topology --test plan
