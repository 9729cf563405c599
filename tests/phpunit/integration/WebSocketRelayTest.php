<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use MediaWiki\Extension\WebSocket\Maintenance\WebSocketRelay;
use MediaWiki\Extension\WebSocket\Revocation\Revoker;
use MediaWiki\Extension\WebSocket\Tests\PublishingTestCase;
use RuntimeException;
use WebSocket;

/**
 * @covers \MediaWiki\Extension\WebSocket\Maintenance\WebSocketRelay
 * @group Database
 */
class WebSocketRelayTest extends PublishingTestCase {
	public static function setUpBeforeClass(): void {
		parent::setUpBeforeClass();
		require_once __DIR__ . '/../../../maintenance/WebSocketRelay.php';
	}

	protected function useRelay( string $mode ): void {
		parent::useRelay( $mode );
		// The keys of other tests.
		$this->overrideSettings( [ 'WebSocketKey' => null, 'SecretKey' => 'a secret that nobody knows' ] );
	}

	/**
	 * @param array $options
	 * @return array{int,string,string} Exit code, output, errors
	 */
	private function runScript( array $options = [] ): array {
		$script = new class() extends WebSocketRelay {
			public string $out = '';
			public string $err = '';

			protected function output( $out, $channel = null ) {
				$this->out .= $out;
			}

			protected function error( $err, $die = 0 ) {
				$this->err .= "$err\n";
			}

			protected function fatalError( $msg, $exitCode = 1 ) {
				$this->err .= "$msg\n";
				throw new RuntimeException( 'end', $exitCode );
			}
		};
		$script->loadWithArgv( array_map( static fn ( $name, $value ) => $value === true ? "--$name" : "--$name=$value",
			array_keys( $options ), $options ) );
		try {
			$script->execute();
			$code = 0;
		} catch ( RuntimeException $e ) {
			$this->assertSame( 'end', $e->getMessage() );
			$code = $e->getCode();
		}
		$key = $this->getServiceContainer()->getService( 'WebSocket.WikiIdentity' )->key;
		if ( $key !== null ) {
			$this->assertStringNotContainsString( base64_encode( $key ), $script->out . $script->err );
		}
		return [ $code, $script->out, $script->err ];
	}

	public function testShowsWhatTheRelayKnows(): void {
		[ $code, $out, $errors ] = $this->runScript();
		$this->assertSame( [ 0, '' ], [ $code, $errors ] );
		$this->assertSame( <<<'TEXT'
			Wiki            mydb:
			Relay           version 1.2.3, up 1 d 2 h 3 min
			Registered      2025-06-15T15:06:40Z, by the relay's own configuration file only
			Origins         https://wiki.example http://wiki.example
			Private         no
			Open types      yes
			Anonymous send  no
			Keys            2
			Connections     3
			Clients         5
			Users           1
			Subscriptions   9
			Revocations     4
			Refused         forbidden 7, expired 1
			Declared types  2
			  mydb:@page/*: send wiki, read anyone, subscription token
			  mydb:Foo [2J: send right:patrol, read user, presence, history 20 messages, 300 s

			TEXT, $out );
		$request = $this->relay->requests()[0];
		$this->assertSame( 'GET /api/stats', "$request[method] $request[path]" );
		$this->assertStringStartsWith( 'Bearer ', $request['headers']['authorization'] );
	}

	public function testSaysWhetherTheRegistrationIsCurrent(): void {
		$this->getServiceContainer()->getService( 'WebSocket.Registrar' )->register();
		$this->assertStringContainsString( ', as the wiki is now', $this->runScript( [ 'status' => true ] )[1] );
		$this->assertTrue( json_decode( $this->runScript( [ 'json' => true ] )[1], true )['current'] );
		$this->setGroupPermissions( '*', 'read', false );
		$this->overrideSettings( [] );
		$this->assertStringContainsString( 'with other settings', $this->runScript()[1] );
		$stats = json_decode( $this->runScript( [ 'status' => true, 'json' => true ] )[1], true );
		$this->assertSame( [ 3, false ], [ $stats['connections'], $stats['current'] ] );
	}

	public function testRelayThatIsAway(): void {
		unlink( "{$this->relay->directory}/control.sock" );
		$this->overrideSettings( [ 'WebSocketListen' => '127.0.0.1:1' ] );
		[ $code, $out, $errors ] = $this->runScript();
		$this->assertSame( [ 1, '' ], [ $code, $out ] );
		$this->assertStringContainsString( 'View a page', $errors );
		$this->overrideSettings( [ 'WebSocketRelay' => '127.0.0.1:1' ] );
		$this->assertStringContainsString( 'Start it', $this->runScript()[2] );
	}

	public function testRelayThatIsAnotherProgram(): void {
		$this->useRelay( 'garbage' );
		[ $code, , $errors ] = $this->runScript();
		$this->assertSame( 1, $code );
		$this->assertStringContainsString( 'not the relay', $errors );
		$this->useRelay( 'unknown-wiki' );
		$this->assertStringContainsString( 'does not know this wiki', $this->runScript()[2] );
	}

	public function testSettingsThatAreWrong(): void {
		$this->overrideSettings( [ 'WebSocketOrigins' => [ 'nonsense' ] ] );
		[ $code, $out, $errors ] = $this->runScript();
		$this->assertSame( 0, $code );
		$this->assertStringContainsString( 'Connections', $out );
		$this->assertStringContainsString( 'LocalSettings.php: $wgWebSocketOrigins', $errors );
		$this->overrideSettings( [ 'SecretKey' => '' ] );
		$this->assertStringContainsString( '$wgSecretKey', $this->runScript()[2] );
		$this->assertSame( 1, $this->runScript()[0] );
	}

	public function testRevokesAUser(): void {
		$user = $this->getTestUser()->getUser()->getName();
		$this->revoked();
		[ $code, $out ] = $this->runScript( [ 'revoke' => lcfirst( strtr( $user, ' ', '_' ) ) ] );
		$this->assertSame( 0, $code );
		$this->assertStringContainsString( "user \"$user\"", $out );
		$this->assertSame( [ [ 'user', $user ] ], $this->revoked() );
	}

	public function testRevokesSomebodyWhoIsNotThereAnyMore(): void {
		[ $code, , $errors ] = $this->runScript( [ 'revoke' => 'No such user' ] );
		$this->assertSame( 0, $code );
		$this->assertStringContainsString( 'There is no user', $errors );
		$this->assertSame( [ [ 'user', 'No such user' ] ], $this->revoked() );
		$this->assertSame( 1, $this->runScript( [ 'revoke' => 'a#b' ] )[0] );
		$this->assertSame( [], $this->revoked() );
	}

	public function testRevokesASessionAndAType(): void {
		$this->runScript( [ 'session' => '0123456789abcdef0123456789abcdef' ] );
		$this->runScript( [ 'type' => '@page/7' ] );
		$type = WebSocket::wikiID() . '@page/7';
		$this->runScript( [ 'type' => $type ] );
		$this->assertSame(
			[ [ 'session', '0123456789abcdef0123456789abcdef' ], [ 'type', $type ], [ 'type', $type ] ],
			$this->revoked()
		);
	}

	public function testRevokesAllThatASharedTypeIsKnownAs(): void {
		$this->overrideSettings( [ 'WebSocketTypes' => [ 'Live*' => [ 'shared' => true, 'token' => true ] ] ] );
		$type = WebSocket::wikiID() . 'Live7';
		foreach ( [ 'Live7', $type ] as $given ) {
			[ $code, $out ] = $this->runScript( [ 'type' => $given ] );
			$this->assertSame( 0, $code );
			$this->assertStringContainsString( "type \"$type\" and \"Live7\"", $out );
			$this->assertSame( [ [ 'type', $type ], [ 'type', 'Live7' ] ], $this->revoked(), $given );
		}
		$this->assertSame( 1, $this->runScript( [ 'type' => '' ] )[0] );
		$this->assertSame( [], $this->revoked() );

		unlink( "{$this->relay->directory}/control.sock" );
		$this->overrideSettings( [ 'WebSocketListen' => '127.0.0.1:1' ] );
		$this->assertSame( 1, $this->runScript( [ 'type' => 'Live7' ] )[0] );
		$queue = $this->getServiceContainer()->getJobQueueGroup()->get( Revoker::JOB );
		for ( $names = []; $job = $queue->pop(); $names[] = $job->params['targets'][0][1] ) {
			$queue->ack( $job );
		}
		$this->assertEqualsCanonicalizing( [ $type, 'Live7' ], $names, 'both are repeated' );
	}

	public function testRevocationThatDoesNotArriveIsRepeatedAndSaysSo(): void {
		unlink( "{$this->relay->directory}/control.sock" );
		$this->overrideSettings( [ 'WebSocketListen' => '127.0.0.1:1' ] );
		[ $code, $out, $errors ] = $this->runScript( [ 'revoke' => 'Somebody' ] );
		$this->assertSame( [ 1, '' ], [ $code, $out ] );
		$this->assertStringContainsString( 'The job queue goes on', $errors );
		$queue = $this->getServiceContainer()->getJobQueueGroup()->get( Revoker::JOB );
		$job = $queue->pop();
		$queue->ack( $job );
		$this->assertSame( [ [ 'user', 'Somebody' ] ], $job->params['targets'] );
	}

	public function testRotatesTheKey(): void {
		$old = $this->getServiceContainer()->getService( 'WebSocket.WikiIdentity' )->key;
		[ $code, $out ] = $this->runScript( [ 'rotate-key' => true ] );
		$this->assertSame( 0, $code );
		$this->assertStringContainsString( 'The relay knows both', $out );
		$this->overrideSettings( [] );
		$wiki = $this->getServiceContainer()->getService( 'WebSocket.WikiIdentity' );
		$this->assertNotSame( $old, $wiki->key );
		$this->assertSame( $old, $wiki->oldKey );
		$this->assertStringContainsString( 'as the wiki is now', $this->runScript()[1] );
		[ $code, , $errors ] = $this->runScript( [ 'rotate-key' => true ] );
		$this->assertSame( 1, $code );
		$this->assertStringContainsString( '--force', $errors );
		$this->assertSame( 0, $this->runScript( [ 'rotate-key' => true, 'force' => true ] )[0] );
	}

	public function testOneThingAtATime(): void {
		[ $code, , $errors ] = $this->runScript( [ 'rotate-key' => true, 'revoke' => 'Somebody' ] );
		$this->assertSame( 1, $code );
		$this->assertStringContainsString( 'One thing at a time', $errors );
		$this->assertSame( [], $this->relay->requests() );
	}
}
