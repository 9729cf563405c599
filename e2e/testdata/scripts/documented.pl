#!/usr/bin/perl
# documented.pl URL   is the documented example of a script with the original extension, with what it leaves out filled in at the end.
use AnyEvent::WebSocket::Client;

# Connect to the daemon
my $client = AnyEvent::WebSocket::Client->new( ssl_no_verify => 1 );
my $connected = AnyEvent->condvar;
$client->connect( $ARGV[0] )->cb(sub {
	our $ws = eval { shift->recv };
	die $@ if $@;
	$connected->send;
});
$connected->recv;

# Send a message to the WebSocket connection when some condition occurs (note $msg is JSON)
$ws->send( '{ "type": "FooDataChanged", "msg": "Server-side Foo data has changed" }' );

my $closed = AnyEvent->condvar;
$ws->on( finish => sub { $closed->send } );
$ws->close;
$closed->recv;
