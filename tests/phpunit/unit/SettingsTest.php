<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWikiUnitTestCase;

/**
 * @covers \MediaWiki\Extension\WebSocket\Settings
 */
class SettingsTest extends MediaWikiUnitTestCase {
	public function testDefaults(): void {
		$settings = Fixtures::settings();
		$this->assertSame( [], $settings->errors );
		$this->assertSame( 1729, $settings->port );
		$this->assertFalse( $settings->rewrite );
		$this->assertSame( '', $settings->log . $settings->tlsCert . $settings->tlsKey . $settings->clientId );
		$this->assertNull( $settings->url ?? $settings->listen ?? $settings->directory );
		$this->assertNull( $settings->binary ?? $settings->relay );
		$this->assertSame( [], $settings->origins );
		$this->assertTrue( $settings->autostart && $settings->pageBar );
		$this->assertSame( 0.1, $settings->publishTimeout );
		$this->assertSame( [ true, [], false ], [ $settings->openTypes, $settings->types, $settings->perPageRead ] );
		$this->assertSame( 3600, $settings->tokenLife );
	}

	public static function goodValues(): array {
		return [
			[ 'WebSocketPort', 'port', 1, 1 ],
			[ 'WebSocketPort', 'port', 65534, 65534 ],
			[ 'WebSocketPort', 'port', '8080', 8080 ],
			[ 'WebSocketLog', 'log', '/var/log/ws.log', '/var/log/ws.log' ],
			'off, as the original had it' => [ 'WebSocketLog', 'log', false, '' ],
			[ 'WebSocketLog', 'log', '/with space/$(x);y', '/with space/$(x);y' ],
			[ 'WebSocketDirectory', 'directory', '/var/lib/ws/', '/var/lib/ws' ],
			[ 'WebSocketClientID', 'clientId', 'bot-1', 'bot-1' ],
			[ 'WebSocketUrl', 'url', '/websocket', '/websocket' ],
			[ 'WebSocketUrl', 'url', 'wss://live.example:81/x', 'wss://live.example:81/x' ],
			[ 'WebSocketUrl', 'url', 'https://live.example', 'wss://live.example' ],
			[ 'WebSocketUrl', 'url', 'http://live.example/x', 'ws://live.example/x' ],
			[ 'WebSocketListen', 'listen', ':1729', ':1729' ],
			[ 'WebSocketListen', 'listen', '127.0.0.1:1729', '127.0.0.1:1729' ],
			[ 'WebSocketListen', 'listen', '[::1]:1729', '[::1]:1729' ],
			[ 'WebSocketRelay', 'relay', '10.0.0.7:1729', 'tcp://10.0.0.7:1729' ],
			[ 'WebSocketRelay', 'relay', '[fd00::7]:1729', 'tcp://[fd00::7]:1729' ],
			[ 'WebSocketRelay', 'relay', 'unix:/run/ws/control.sock', 'unix:///run/ws/control.sock' ],
			[ 'WebSocketPublishTimeout', 'publishTimeout', 2, 2.0 ],
			[ 'WebSocketPublishTimeout', 'publishTimeout', '0.05', 0.05 ],
			[ 'WebSocketPublishTimeout', 'publishTimeout', 30, 30.0 ],
			[ 'WebSocketOrigins', 'origins', [ 'https://A.example:443' ], [ 'https://a.example' ] ],
			[ 'WebSocketOrigins', 'origins', 'https://a.example', [ 'https://a.example' ] ],
			[ 'WebSocketPolling', 'polling', 0, 0 ],
			[ 'WebSocketPolling', 'polling', '0', 0 ],
			[ 'WebSocketPolling', 'polling', 2, 2 ],
			[ 'WebSocketPolling', 'polling', '3600', 3600 ],
			[ 'WebSocketTokenLife', 'tokenLife', 10, 10 ],
			[ 'WebSocketTokenLife', 'tokenLife', '86400', 86400 ],
			[ 'WebSocketTypes', 'types', [ 'Foo' => 'read when it is used' ], [ 'Foo' => 'read when it is used' ] ],
		];
	}

	/**
	 * @dataProvider goodValues
	 */
	public function testGoodValue( string $name, string $property, $value, $expected ): void {
		$settings = Fixtures::settings( [ $name => $value ] );
		$this->assertSame( [], $settings->errors );
		$this->assertSame( $expected, $settings->$property );
	}

	public static function badValues(): array {
		$cases = [];
		$values = [
			'WebSocketPort' => [ 0, 65535, -1, '1e3', '1729; touch x', 1.5, true, [ 1729 ], ' 1729x' ],
			'WebSocketLog' => [ 'relative', '-rf', "/tmp/x\n", "/tmp/\0x", '; touch x', '$(touch x)', 7, [ '/x' ] ],
			'WebSocketTokenLife' => [ 9, 86401, 0, '1 h', true, 60.5 ],
			'WebSocketPolling' => [ 1, 3601, -5, '5 s', true, 2.5, [ 5 ] ],
			'WebSocketTypes' => [ 'Foo', 7, true ],
			'WebSocketTLSCert' => [ 'cert.pem', '--open', "/a\r/b" ],
			'WebSocketTLSKey' => [ 'key.pem', '--open' ],
			'WebSocketDirectory' => [ 'x', '-x', '../x', "/x\x7f" ],
			'WebSocketBinary' => [ 'sh', '-c', 'php; touch x', '$(id)', "/bin/sh\n" ],
			'WebSocketClientID' => [ 'ä', 'a b', str_repeat( 'a', 65 ), [ 1 ] ],
			'WebSocketUrl' => [
				'websocket', '//evil.example', 'javascript:x', 'wss://a b/', "wss://a\n", '/a b', "/x; script-src *",
				'wss://a,b', 'wss://user@host/', [ '/x' ],
			],
			'WebSocketListen' => [ '1729', ':0', ':65535', ':99999', '-x:1;2', 'a b:1', "127.0.0.1:1729\n", '$(x):1' ],
			'WebSocketRelay' => [ ':1729', 'unix:relative', 'http://x:1', 'host', 7, '; x:1' ],
			'WebSocketPublishTimeout' => [ 0, -1, 31, 'soon', [ 1 ] ],
			'WebSocketOrigins' => [ [ 'wiki.example' ], [ 'https://*.example' ], [ 7 ], 'null' ],
		];
		foreach ( $values as $name => $list ) {
			foreach ( $list as $value ) {
				$cases["$name " . json_encode( $value )] = [ $name, $value ];
			}
		}
		return $cases;
	}

	/**
	 * @dataProvider badValues
	 */
	public function testBadValueIsNamedAndReplaced( string $name, $value ): void {
		$settings = Fixtures::settings( [ $name => $value ] );
		$this->assertNotSame( [], $settings->errors );
		$this->assertStringContainsString( "\$wg$name", $settings->errors[0] );
		foreach ( $settings->errors as $error ) {
			$this->assertDoesNotMatchRegularExpression( '/[\x00-\x1f\x7f]/', $error, 'a log entry is one line' );
		}
		$defaults = get_object_vars( Fixtures::settings() );
		unset( $defaults['errors'] );
		$this->assertEquals( $defaults, array_intersect_key( get_object_vars( $settings ), $defaults ) );
	}

	public function testGoodOriginsStayBesideABadOne(): void {
		$settings = Fixtures::settings( [ 'WebSocketOrigins' => [ 'nonsense', 'https://a.example' ] ] );
		$this->assertSame( [ 'https://a.example' ], $settings->origins );
		$this->assertCount( 1, $settings->errors );
	}

	public function testBadOldKeyIsNamedButNotShown(): void {
		$good = base64_encode( str_repeat( 'x', 32 ) );
		$settings = Fixtures::settings( [ 'WebSocketOldKeys' => [ $good, "{$good}A", 7 ] ] );
		$this->assertSame( [ str_repeat( 'x', 32 ) ], $settings->oldKeys );
		$this->assertCount( 2, $settings->errors );
		$this->assertStringContainsString( 'Entry 2 of $wgWebSocketOldKeys', $settings->errors[0] );
		$this->assertStringNotContainsString( $good, implode( $settings->errors ) );
	}

	public function testCertificateNeedsKey(): void {
		$this->assertNotSame( [], Fixtures::settings( [ 'WebSocketTLSCert' => '/c.pem' ] )->errors );
		$this->assertNotSame( [], Fixtures::settings( [ 'WebSocketTLSKey' => '/k.pem' ] )->errors );
		$both = Fixtures::settings( [ 'WebSocketTLSCert' => '/c.pem', 'WebSocketTLSKey' => '/k.pem' ] );
		$this->assertSame( [], $both->errors );
	}
}
