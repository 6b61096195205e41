//! Tests of changes of link properties.

use super::*;
use proptest::prelude::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn steps_are_read_with_their_sign_and_written_back() {
    for text in ["+100ms", "-20%", "+250%", "-5ms", "+0.5%"] {
        let step: Step<Duration> = text.parse().unwrap();
        assert_eq!(step.to_string(), text);
        let json = serde_json::to_string(&step).unwrap();
        assert_eq!(serde_json::from_str::<Step<Duration>>(&json).unwrap(), step);
    }
    assert_eq!("+5%".parse(), Ok(Step::More(Ratio(0.05))));
    assert_eq!("-20%".parse::<Step<BitRate>>(), Ok(Step::Percent(-20.0)));
    for text in [
        "100ms", "+100", "-101%", "+10001%", "+-5ms", "++5ms", "+", "",
    ] {
        assert!(text.parse::<Step<Duration>>().is_err(), "{text}");
    }
    assert!("+101%".parse::<Step<Ratio>>().is_err());
}

#[test]
fn a_step_goes_from_what_is() {
    let link = LinkProperties {
        delay: ms(50),
        loss: Ratio(0.01),
        rate: Some(BitRate(10_000_000)),
        ..LinkProperties::default()
    };
    let steps = Steps {
        delay: Some(Step::More(ms(100))),
        loss: Some(Step::More(Ratio(0.05))),
        rate: Some(Step::Percent(-20.0)),
        mtu: Some(Step::Less(ByteSize(300))),
        queue: Some(Step::Percent(100.0)),
        reorder: Some(Step::More(Ratio(0.1))),
        ..Steps::default()
    };
    let worse = steps.over(&link);
    assert_eq!(worse.delay, ms(150));
    assert!((worse.loss.0 - 0.06).abs() < 1e-12);
    assert_eq!(worse.rate, Some(BitRate(8_000_000)));
    assert_eq!(worse.mtu.map(|mtu| mtu.bytes), Some(1200));
    assert_eq!(worse.queue, Some(ByteSize(2 * link.queue_bytes())));
    assert_eq!(worse.reorder.map(|reorder| reorder.share), Some(Ratio(0.1)));
    assert_eq!(Steps::default().over(&link), link);
}

#[test]
fn a_step_ends_at_the_bounds() {
    let steps = Steps {
        delay: Some(Step::Less(ms(100))),
        loss: Some(Step::More(Ratio(1.0))),
        rate: Some(Step::Percent(-100.0)),
        mtu: Some(Step::Less(ByteSize(1_000_000))),
        reorder: Some(Step::Less(Ratio(0.1))),
        ..Steps::default()
    };
    let link = LinkProperties {
        delay: ms(50),
        loss: Ratio(0.5),
        rate: Some(BitRate(1_000)),
        ..LinkProperties::default()
    };
    let worse = steps.over(&link);
    assert_eq!((worse.delay, worse.loss), (Duration::ZERO, Ratio(1.0)));
    assert_eq!(worse.rate, Some(BitRate(1)));
    assert_eq!(worse.mtu.map(|mtu| mtu.bytes), Some(MTU_MIN));
    assert_eq!(worse.reorder, None);
    // What has no rate has none that could be less.
    assert_eq!(steps.over(&LinkProperties::default()).rate, None);
    assert!(Step::Less(ms(100)).exceeds(ms(50)));
    assert!(!Step::Less(ms(50)).exceeds(ms(50)));
}

#[test]
fn a_patch_is_written_with_units_and_only_what_it_says() {
    let patch = LinkPatch {
        delay: Some(ms(3)),
        loss: Some(Loss {
            share: Ratio(0.05),
            ..Loss::default()
        }),
        ..LinkPatch::default()
    };
    let text = serde_json::to_string(&patch).unwrap();
    let expected = r#"{"delay":"3ms","loss":{"share":"5%","correlation":"0%","every":0}}"#;
    assert_eq!(text, expected);
    assert_eq!(serde_json::from_str::<LinkPatch>(&text).unwrap(), patch);
}

proptest! {
    /// Nothing that can be written leaves the bounds, however often it is said.
    #[test]
    fn steps_stay_in_bounds(percent in -100.0..=PERCENT, times in 1..12_usize, start in 0..u64::MAX) {
        let (mut delay, mut rate) = (Duration::from_nanos(start).min(LONGEST), BitRate(start.max(1)));
        for _ in 0..times {
            delay = Step::Percent(percent).from(delay);
            rate = Step::Percent(percent).from(rate);
        }
        prop_assert!(delay <= LONGEST && (1..=10_u64.pow(13)).contains(&rate.0));
    }

    #[test]
    fn hostile_text_never_panics(text in ".{0,20}") {
        let _ = (text.parse::<Step<Duration>>(), text.parse::<Step<Ratio>>());
        let _ = (text.parse::<Step<ByteSize>>(), text.parse::<Step<BitRate>>());
    }
}
