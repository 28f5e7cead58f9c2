//! Many calls through `UserPresenceDial()` at once: no call is lost and no memory kept.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::harness::{Instance, MODULE, Message, Phone, wait_until};

/// One user per way through the application: rings, forwards at once, is reached in the
/// second stage, forwards when busy, forwards to nowhere.
const USERS: &str = "[general]\njournal = 0\n\
    [rings]\ntype = user\nextension = 200\n\
    [forwards]\ntype = user\nextension = 210\nhandling = always\n\
    [always]\ntype = handling\nforward_external_always = 200@default\n\
    [stages]\ntype = user\nextension = 211\nhandling = stages\n\
    endpoint = desk,PJSIP/201\nendpoint = soft,PJSIP/200\n\
    [stages]\ntype = handling\nring_first = desk\nring_second = soft\n\
    [busy]\ntype = user\nextension = 212,PJSIP/201\nhandling = whenbusy\n\
    [whenbusy]\ntype = handling\nforward_external_busy = 200@default\n\
    [wrong]\ntype = user\nextension = 213\nhandling = nowhere\n\
    [nowhere]\ntype = handling\nforward_external_always = 999@nowhere\n";

const DIALPLAN: &str = "\
exten = 200,1,UserPresenceDial(rings)
exten = 210,1,UserPresenceDial(forwards)
exten = 211,1,UserPresenceDial(stages)
exten = 212,1,UserPresenceDial(busy)
exten = 213,1,UserPresenceDial(wrong)
exten = h,1,UserEvent(Ended,Status:${USERPRESENCESTATUS} ${DIALSTATUS})
";

/// 125 calls each way: 500 are answered, 125 get busy.
const CALLS: usize = 625;

/// How long the memory may not shrink any more before it counts as settled.
const SETTLED: Duration = Duration::from_secs(3);

/// The bytes that the module holds, and those of the whole process.
fn memory(ast: &Instance) -> [usize; 2] {
    let said = ast.cli("userpresence selftest memory");
    let mut numbers = said.split_whitespace().map(str::parse);
    std::array::from_fn(|_| numbers.next().expect("a number").expect("a number"))
}

/// The memory held once SIP has forgotten the calls.
fn settled_memory(ast: &Instance) -> [usize; 2] {
    let (mut least, mut since) = (memory(ast), Instant::now());
    wait_until("the calls to be forgotten", || {
        let now = memory(ast);
        // Small amounts come and go all the time.
        if now[1] + 20_000 < least[1] {
            (least, since) = (now, Instant::now());
        }
        (since.elapsed() > SETTLED).then_some(now)
    })
}

/// Calls the extensions in turn and returns the number of calls by how they ended.
fn load(ast: &Instance, extensions: &[&str], calls: usize, rate: usize) -> BTreeMap<String, usize> {
    let ami = ast.ami();
    Phone::call_many(ast, "trunk", extensions, calls, rate);
    ast.wait_no_channels();
    // The ends of the callers' channels, not of the Local channels of forwards.
    let is_end = |event: &&Message| {
        event.get("UserEvent") == Some("Ended")
            && event
                .get("Channel")
                .is_some_and(|name| name.starts_with("PJSIP/trunk-"))
    };
    wait_until("every call's end", || {
        (ami.events().iter().filter(is_end).count() == calls).then_some(())
    });
    let mut ends = BTreeMap::new();
    for event in ami.events().iter().filter(is_end) {
        let end = event.get("Status").unwrap_or_default().to_owned();
        *ends.entry(end).or_default() += 1;
    }
    ends
}

#[test]
fn no_call_of_many_is_lost_and_no_memory_kept() {
    let ast = Instance::selftest()
        .userpresence(USERS)
        .sip(&["trunk", "200", "201"])
        .sip_forgets_soon()
        .modules(&["func_callerid", "res_pjsip_diversion"])
        .dialplan(DIALPLAN)
        .start();
    let _answers = Phone::answering(&ast, "200");
    let _busy = Phone::busy(&ast, "201");
    let ours = ["200", "210", "211", "212", "213"];

    // The pools of Asterisk and of the C library grow at first, and with concurrent calls.
    load(&ast, &ours, 250, 50);
    let before = settled_memory(&ast);
    let ends = load(&ast, &ours, CALLS, 20);
    let ends: Vec<_> = ends.iter().map(|(end, count)| (&**end, *count)).collect();
    assert_eq!(
        ends,
        [
            ("ANSWERED ANSWER", 250),
            ("FORWARDED ANSWER", 250),
            ("WRONGTARGET BUSY", 125)
        ]
    );
    let after = settled_memory(&ast);
    assert_eq!(before[0], after[0], "bytes that the module holds");
    // Asterisk's pools grow by far less than one channel per call.
    let more = after[1].saturating_sub(before[1]);
    assert!(more < 1000 * CALLS, "{more} bytes more");

    assert!(
        ast.cli("core show channels count")
            .contains("0 active channels")
    );
    // The unload succeeds only if no channel is in the module.
    assert!(ast.unload_module(MODULE).ok());
}
