#![no_main]
echo_fuzz::target!("came_back");
