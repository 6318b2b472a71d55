#![no_main]
echo_fuzz::target!("scenario_text");
