//! Two connected sockets of one smoltcp interface, over its loopback device, in virtual time.

use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::phy::{FaultInjector, Loopback, Medium};
use smoltcp::socket::tcp;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

const PORT: u16 = 2012;
/// The client's port.
const OWN: u16 = 50_000;

pub(super) struct Pair {
    device: FaultInjector<Loopback>,
    interface: Interface,
    sockets: SocketSet<'static>,
    pub(super) client: SocketHandle,
    pub(super) server: SocketHandle,
    pub(super) now: Instant,
}

impl Pair {
    pub(super) fn connected() -> Self {
        let mut device = FaultInjector::new(Loopback::new(Medium::Ip), 1);
        let now = Instant::ZERO;
        let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut device, now);
        interface.update_ip_addrs(|addresses| {
            // The list has space for more than one address.
            let _ = addresses.push(IpCidr::new(IpAddress::v4(127, 0, 0, 1), 8));
        });
        let mut sockets = SocketSet::new(Vec::new());
        let client = sockets.add(socket());
        let server = sockets.add(socket());
        let mut pair = Self { device, interface, sockets, client, server, now };
        pair.listen(server);
        pair.connect(client);
        pair.run(Duration::from_millis(100));
        pair
    }

    /// Adds a socket.
    pub(super) fn add(&mut self) -> SocketHandle {
        self.sockets.add(socket())
    }

    pub(super) fn listen(&mut self, handle: SocketHandle) {
        // Fails only for a socket in use.
        let _ = self.socket(handle).listen(PORT);
    }

    /// Connects, always from the same port.
    pub(super) fn connect(&mut self, handle: SocketHandle) {
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(handle);
        let _ = socket.connect(self.interface.context(), (IpAddress::v4(127, 0, 0, 1), PORT), OWN);
    }

    pub(super) fn socket(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    /// Loses every packet from now on.
    pub(super) fn cut(&mut self) {
        self.device.set_drop_chance(100);
    }

    /// Returns the time until the interface has something to do.
    pub(super) fn due(&mut self) -> Option<Duration> {
        self.interface.poll_delay(self.now, &self.sockets)
    }

    /// Runs for `span`.
    pub(super) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.poll();
            // At least a millisecond, so that time passes even if the interface always has something to do.
            let pause = self.due().unwrap_or(span).max(Duration::from_millis(1));
            self.now = (self.now + pause).min(end);
        }
        self.poll();
    }

    fn poll(&mut self) {
        while self.interface.poll(self.now, &mut self.device, &mut self.sockets) != PollResult::None {}
    }
}

fn socket() -> tcp::Socket<'static> {
    tcp::Socket::new(tcp::SocketBuffer::new(vec![0; 4096]), tcp::SocketBuffer::new(vec![0; 4096]))
}
