#![no_main]
echo_fuzz::target!("decoder");
