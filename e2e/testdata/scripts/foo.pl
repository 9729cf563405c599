#!/usr/bin/perl
# foo.pl URL TEXT [ID]   tells every page that Foo's data has changed.
# With an ID it stays, and prints what is sent to everybody or to that ID.
use strict;
use warnings;
use AnyEvent::WebSocket::Client;
use Encode qw(decode);
use JSON::PP;

my ( $url, $text, $id ) = map { decode( 'UTF-8', $_ ) } @ARGV;
my $json = JSON::PP->new->utf8;
$| = 1;

my $client = AnyEvent::WebSocket::Client->new(
	ssl_no_verify    => 1,
	max_payload_size => 2**20,    # as long as messages from the wiki can be
	http_headers     => $ENV{WEBSOCKET_TOKEN} ? { Authorization => "Bearer $ENV{WEBSOCKET_TOKEN}" } : {},
);
my $ws    = $client->connect($url)->recv;
my $ended = AnyEvent->condvar;
$ws->on( finish       => sub { $ended->send } );
$ws->on( each_message => sub { print $_[1]->body, "\n" } );

$ws->send( $json->encode( { type => 'FooDataChanged', msg => $text, $id ? ( from => $id ) : () } ) );
$ws->close unless $id;
$ended->recv;
