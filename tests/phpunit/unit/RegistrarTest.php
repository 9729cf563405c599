<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use MediaWiki\Extension\WebSocket\Relay\Registrar;
use MediaWiki\Extension\WebSocket\Relay\RelayAnswer;
use MediaWiki\Extension\WebSocket\Tests\FakeRelay;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWiki\Permissions\GroupPermissionsLookup;
use MediaWikiUnitTestCase;

/**
 * @covers \MediaWiki\Extension\WebSocket\Relay\Registrar
 */
class RegistrarTest extends MediaWikiUnitTestCase {
	private FakeRelay $relay;

	protected function setUp(): void {
		parent::setUp();
		$this->relay = new FakeRelay( 'ok' );
	}

	protected function tearDown(): void {
		$this->relay->stop();
		parent::tearDown();
	}

	private function registrar(
		array $values = [], bool $public = true, array $servers = [ '//wiki.example' ]
	): Registrar {
		$permissions = $this->createMock( GroupPermissionsLookup::class );
		$permissions->method( 'groupHasPermission' )->with( '*', 'read' )->willReturn( $public );
		return new Registrar(
			Fixtures::client( $this->relay->directory ),
			Fixtures::wiki( $values ),
			Fixtures::settings( $values ),
			$permissions,
			$servers
		);
	}

	private function methods(): string {
		return implode( ' ', array_column( $this->relay->requests(), 'method' ) );
	}

	public function testRegistersOnceUntilSomethingChanges(): void {
		$this->assertTrue( $this->registrar()->register()->isOk() );
		$this->assertSame( 'HEAD PUT', $this->methods(), 'the relay did not know the wiki' );
		$this->assertTrue( $this->registrar()->register()->isOk() );
		$this->assertSame( 'HEAD PUT HEAD', $this->methods(), 'it does now' );
		$this->assertTrue( $this->registrar( [], false )->register()->isOk() );
		$this->assertSame( 'HEAD PUT HEAD HEAD PUT', $this->methods(), 'the wiki has become private' );
	}

	public function testWhatItTells(): void {
		$values = [ 'DBprefix' => 'p_', 'WebSocketOrigins' => [ 'https://m.wiki.example' ] ];
		$this->registrar( $values, true, [ '//wiki.example', 'https://wiki.example' ] )->register();
		$request = $this->relay->requests()[1];
		$this->assertSame( '/api/wikis/p_mydb%3A', $request['path'] );
		$this->assertSame( [
			'key' => base64_encode( Fixtures::wiki( $values )->key ),
			'origins' => [ 'https://m.wiki.example', 'https://wiki.example', 'http://wiki.example' ],
			'private' => false,
		], json_decode( $request['body'], true ) );
	}

	public function testPrivateWiki(): void {
		$this->assertFalse( $this->registrar()->isPrivate() );
		$this->assertTrue( $this->registrar( [], false )->isPrivate() );
	}

	public function testPassesOnThatThereIsNoRelay(): void {
		$registrar = $this->registrar();
		$this->relay->stop();
		$this->assertSame( RelayAnswer::ABSENT, $registrar->register()->status );
		$this->relay = new FakeRelay( 'ok' );
	}
}
