<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWikiUnitTestCase;

/**
 * @covers \MediaWiki\Extension\WebSocket\WikiIdentity
 */
class WikiIdentityTest extends MediaWikiUnitTestCase {
	public function testId(): void {
		$this->assertSame( 'mydb:', Fixtures::wiki()->id );
		$this->assertSame( 'p_mydb:', Fixtures::wiki( [ 'DBprefix' => 'p_' ] )->id );
		$this->assertSame( 'a_b:', Fixtures::wiki( [ 'DBname' => 'a:b' ] )->id, 'one colon, at the end' );
	}

	/** The expected values are what `openssl kdf … HKDF` prints. */
	public function testDerivesKeyFromSecret(): void {
		$wiki = Fixtures::wiki();
		$this->assertSame( 'J+RtqjWeqHhOabX+oLNddZC47qmTye0S5ONv/Yttbo0=', base64_encode( $wiki->key ) );
		$this->assertSame( 'df2878364d2a8fa1', $wiki->secretName );
		$this->assertNull( $wiki->problem );
	}

	public function testConfiguredKeyWins(): void {
		$key = random_bytes( 32 );
		$wiki = Fixtures::wiki( [ 'WebSocketKey' => base64_encode( $key ) ] );
		$this->assertSame( $key, $wiki->key );
		$this->assertSame( Fixtures::wiki()->secretName, $wiki->secretName, 'a new key does not move the relay' );
	}

	public static function badKeys(): array {
		return [
			'31 bytes' => [ base64_encode( str_repeat( 'x', 31 ) ) ],
			'33 bytes' => [ base64_encode( str_repeat( 'x', 33 ) ) ],
			'not base64' => [ '!' . base64_encode( str_repeat( 'x', 32 ) ) ],
			'not a string' => [ 42 ],
			'array' => [ [ 'x' ] ],
		];
	}

	/**
	 * @dataProvider badKeys
	 */
	public function testBadKeyIsNotReplacedByAnother( $key ): void {
		$wiki = Fixtures::wiki( [ 'WebSocketKey' => $key ] );
		$this->assertNull( $wiki->key );
		$this->assertStringContainsString( '$wgWebSocketKey', $wiki->problem );
		if ( is_string( $key ) ) {
			$this->assertStringNotContainsString( $key, $wiki->problem, 'a key does not belong into a log' );
		}
	}

	public function testWithoutSecretThereIsNoKey(): void {
		$wiki = Fixtures::wiki( [ 'SecretKey' => '' ] );
		$this->assertNull( $wiki->key );
		$this->assertSame( '', $wiki->secretName );
		$this->assertStringContainsString( '$wgSecretKey', $wiki->problem );
	}
}
