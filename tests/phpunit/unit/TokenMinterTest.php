<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use MediaWiki\Extension\WebSocket\Grants;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWiki\Extension\WebSocket\TokenMinter;
use MediaWikiUnitTestCase;
use RuntimeException;
use Wikimedia\Timestamp\ConvertibleTimestamp;

/**
 * @covers \MediaWiki\Extension\WebSocket\Grants
 * @covers \MediaWiki\Extension\WebSocket\TokenMinter
 */
class TokenMinterTest extends MediaWikiUnitTestCase {
	protected function tearDown(): void {
		ConvertibleTimestamp::setFakeTime( false );
		parent::tearDown();
	}

	public static function goldenTokens(): array {
		$file = __DIR__ . '/../../../relay/wire/testdata/tokens.json';
		$cases = [];
		foreach ( json_decode( file_get_contents( $file ), true ) as $case ) {
			if ( $case['valid'] ) {
				$cases[$case['name']] = [ $case ];
			}
		}
		return $cases;
	}

	/**
	 * @dataProvider goldenTokens
	 */
	public function testMintsGoldenTokens( array $case ): void {
		$claims = $case['claims'];
		$wiki = Fixtures::wiki( [ 'WebSocketKey' => $case['key'] ] );
		$minter = new TokenMinter( $wiki, $claims['exp'] - $claims['iat'] );
		ConvertibleTimestamp::setFakeTime( $claims['iat'] );
		$allow = $claims['allow'] ?? [];
		$token = match ( $case['aud'] ) {
			'publish' => [ 'token' => $minter->publishToken(), 'expires' => $claims['exp'] ],
			'subscribe' => $minter->subscribeToken( $claims['sub'], $claims['sid'], $claims['type'] ),
			'connect' => $minter->connectToken( $claims['sub'], $claims['sid'], new Grants(
				$allow['send'] === [ '*' ],
				$allow['presence'] === [ '*' ],
				$claims['rights'] ?? [],
				$claims['rate'] ?? null
			) ),
		};
		$this->assertSame( [ 'token' => $case['token'], 'expires' => $claims['exp'] ], $token );
	}

	public function testSessionNames(): void {
		$minter = new TokenMinter( Fixtures::wiki(), 3600 );
		$other = new TokenMinter( Fixtures::wiki( [ 'SecretKey' => 'another' ] ), 3600 );
		$name = $minter->sessionName( 'session' );
		$this->assertMatchesRegularExpression( '/^[0-9a-f]{32}$/', $name );
		$this->assertSame( $name, $minter->sessionName( 'session' ), 'a session keeps its name' );
		$this->assertNotSame( $name, $minter->sessionName( 'session2' ) );
		$this->assertNotSame( $name, $other->sessionName( 'session' ), 'the name depends on the key' );
		$this->assertNotSame( $minter->sessionName( '' ), $minter->sessionName( '' ) );
	}

	public function testAllRequestsOfSomeSecondsPublishWithOneToken(): void {
		$wiki = Fixtures::wiki();
		$tokens = [];
		for ( $time = 1750000000; $time < 1750000060; $time++ ) {
			ConvertibleTimestamp::setFakeTime( $time );
			$token = ( new TokenMinter( $wiki, 3600 ) )->publishToken();
			$claims = json_decode( base64_decode( strtr( explode( '.', $token )[1], '-_', '+/' ) ), true );
			$this->assertLessThanOrEqual( $time, $claims['iat'], 'a token from the future is refused' );
			$this->assertGreaterThanOrEqual( $time + 40, $claims['exp'], 'the clock of the relay may be ahead' );
			$this->assertLessThanOrEqual( 60, $claims['exp'] - $claims['iat'], 'one that lives longer is refused' );
			$tokens[$token] = ( $tokens[$token] ?? 0 ) + 1;
		}
		$this->assertSame( [ 20, 20, 20 ], array_values( $tokens ) );
	}

	public function testSignsNothingWithoutKey(): void {
		$minter = new TokenMinter( Fixtures::wiki( [ 'SecretKey' => '' ] ), 3600 );
		$this->expectException( RuntimeException::class );
		$this->expectExceptionMessage( '$wgSecretKey' );
		$minter->publishToken();
	}
}
