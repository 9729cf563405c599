<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use MediaWiki\Extension\WebSocket\ClientId;
use MediaWikiUnitTestCase;
use User;
use WebRequest;

/**
 * @covers \MediaWiki\Extension\WebSocket\ClientId
 */
class ClientIdTest extends MediaWikiUnitTestCase {
	private function clientId( ?string $parameter, string $override = '', ?User $user = null ): ClientId {
		$request = $this->createMock( WebRequest::class );
		$request->method( 'getRawVal' )->with( 'clientID' )->willReturn( $parameter );
		return new ClientId( static fn () => $request, static fn () => $user, $override );
	}

	public static function parameters(): array {
		return [
			'of a page' => [ 'WS0123', 'WS0123' ],
			'all characters' => [ 'aZ09_.:-', 'aZ09_.:-' ],
			'64 bytes' => [ str_repeat( 'a', 64 ), str_repeat( 'a', 64 ) ],
			'65 bytes' => [ str_repeat( 'a', 65 ), null ],
			'missing' => [ null, null ],
			'empty' => [ '', null ],
			'quote' => [ 'a"b', null ],
			'newline at the end' => [ "abc\n", null ],
			'not ASCII' => [ 'ä', null ],
		];
	}

	/**
	 * @dataProvider parameters
	 */
	public function testRequestParameter( ?string $parameter, ?string $expected ): void {
		$this->assertSame( $expected, $this->clientId( $parameter )->fromRequest() );
	}

	public static function actors(): array {
		return [
			'user' => [ 'WS1', true, true, 'Ann' ],
			'without an account' => [ 'WS1', true, false, '' ],
			'before there are users' => [ 'WS1', false, true, '' ],
			'no page' => [ null, true, true, null ],
		];
	}

	/**
	 * @dataProvider actors
	 */
	public function testActor( ?string $parameter, bool $isSafe, bool $isRegistered, ?string $expected ): void {
		$user = $this->createMock( User::class );
		$user->method( 'isSafeToLoad' )->willReturn( $isSafe );
		$user->method( 'isRegistered' )->willReturn( $isRegistered );
		$user->method( 'getName' )->willReturn( $isRegistered ? 'Ann' : '192.0.2.1' );
		$this->assertSame( $expected, $this->clientId( $parameter, '', $user )->actor() );
	}

	public function testOwnIdIsNewInEachRequest(): void {
		$first = $this->clientId( null );
		$this->assertMatchesRegularExpression( '/^WS[0-9a-f]{30}$/D', $first->own() );
		$this->assertSame( $first->own(), $first->own() );
		$this->assertNotSame( $first->own(), $this->clientId( null )->own() );
	}

	public function testOverride(): void {
		$this->assertSame( 'bot', $this->clientId( null, 'bot' )->own() );
	}
}
