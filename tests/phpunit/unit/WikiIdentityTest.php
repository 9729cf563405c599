<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use MediaWiki\Extension\WebSocket\Keys\KeyGeneration;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWiki\Extension\WebSocket\TokenMinter;
use MediaWikiUnitTestCase;
use Wikimedia\Timestamp\ConvertibleTimestamp;

/**
 * @covers \MediaWiki\Extension\WebSocket\WikiIdentity
 * @covers \MediaWiki\Extension\WebSocket\Keys\KeyGeneration
 * @covers \MediaWiki\Extension\WebSocket\Keys\WikiSecret
 */
class WikiIdentityTest extends MediaWikiUnitTestCase {
	protected function tearDown(): void {
		ConvertibleTimestamp::setFakeTime( false );
		parent::tearDown();
	}

	public function testId(): void {
		$this->assertSame( 'mydb:', Fixtures::wiki()->id );
		$this->assertSame( 'p_mydb:', Fixtures::wiki( [ 'DBprefix' => 'p_' ] )->id );
		$this->assertSame( 'a_b:', Fixtures::wiki( [ 'DBname' => 'a:b' ] )->id, 'one colon, at the end' );
	}

	/** The expected values are what `openssl kdf … HKDF` prints. */
	public function testDerivesKeyFromSecret(): void {
		$wiki = Fixtures::wiki();
		$this->assertSame( 'J+RtqjWeqHhOabX+oLNddZC47qmTye0S5ONv/Yttbo0=', base64_encode( $wiki->key ) );
		$this->assertSame( 'df2878364d2a8fa1', Fixtures::secret()->name );
		$this->assertNull( $wiki->problem );
	}

	public function testConfiguredKeyWins(): void {
		$key = random_bytes( 32 );
		$wiki = Fixtures::wiki( [ 'WebSocketKey' => base64_encode( $key ) ] );
		$this->assertSame( $key, $wiki->key );
		$this->assertSame(
			Fixtures::secret()->name,
			Fixtures::secret( [ 'WebSocketKey' => base64_encode( $key ) ] )->name,
			'a new key does not move the relay'
		);
	}

	/** The expected values are what `openssl kdf … HKDF` prints. */
	public function testEachGenerationHasAKeyOfItsOwn(): void {
		$wiki = Fixtures::wiki( [], new KeyGeneration( 1, time() ) );
		$this->assertSame( 'cvPIU8JmQpePkqvr0csE/77hmdOYLeVXwZQbEmji/Ws=', base64_encode( $wiki->key ) );
		$this->assertSame( Fixtures::wiki()->key, $wiki->oldKey );
		$later = Fixtures::wiki( [], new KeyGeneration( 12, time() ) );
		$this->assertSame( 'iZ/ePnX1mklQgOwd8ihAZcg3EXhH2+oeBYdSSry1vAI=', base64_encode( $later->key ) );
		$this->assertSame( Fixtures::wiki( [], new KeyGeneration( 11, time() ) )->key, $later->oldKey );
	}

	public function testStolenKeyDoesNotCountForever(): void {
		$now = 1750000000;
		ConvertibleTimestamp::setFakeTime( $now );
		$overlap = KeyGeneration::OVERLAP_SECONDS;
		$this->assertNotNull( Fixtures::wiki( [], new KeyGeneration( 3, $now - $overlap + 1 ) )->oldKey );
		$this->assertNull( Fixtures::wiki( [], new KeyGeneration( 3, $now - $overlap ) )->oldKey );
		$this->assertNull( Fixtures::wiki()->oldKey );
	}

	public function testLogoutEndsAConnectionFromBeforeARotation(): void {
		$before = new TokenMinter( Fixtures::wiki(), 3600 );
		$after = new TokenMinter( Fixtures::wiki( [], new KeyGeneration( 1, time() ) ), 3600 );
		$this->assertSame( $before->sessionName( 'session' ), $after->sessionName( 'session' ) );
	}

	public function testWithoutKnownGenerationNothingIsSigned(): void {
		$wiki = Fixtures::wiki( [], new KeyGeneration( problem: 'it is damaged' ) );
		$this->assertSame( [ null, null, 'it is damaged' ], [ $wiki->key, $wiki->oldKey, $wiki->problem ] );
		$key = base64_encode( random_bytes( 32 ) );
		$configured = Fixtures::wiki( [ 'WebSocketKey' => $key ], new KeyGeneration( problem: 'it is damaged' ) );
		$this->assertSame( [ $key, null ], [ base64_encode( $configured->key ), $configured->problem ] );
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
		$this->assertSame( '', Fixtures::secret( [ 'SecretKey' => '' ] )->name );
		$this->assertStringContainsString( '$wgSecretKey', $wiki->problem );
	}
}
