#![no_main]
echo_fuzz::target!("round_trip");
