<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use FauxRequest;
use MediaWiki\Extension\WebSocket\ExtensionRegistration;
use MediaWiki\Extension\WebSocket\Tests\PublishingTestCase;
use RequestContext;
use WebSocket;

/**
 * @covers \WebSocket
 * @covers \MediaWiki\Extension\WebSocket\ExtensionRegistration
 */
class FacadeTest extends PublishingTestCase {
	private const PROPERTIES = [ 'port', 'rewrite', 'perl', 'log', 'ssl_cert', 'ssl_key', 'clientID' ];

	protected function tearDown(): void {
		foreach ( self::PROPERTIES as $property ) {
			WebSocket::${$property} = null;
		}
		parent::tearDown();
	}

	private function request( array $parameters ): void {
		RequestContext::getMain()->setRequest( new FauxRequest( $parameters, true ) );
	}

	public function testSendsToEveryone(): void {
		$this->assertTrue( WebSocket::send( 'FooDataChanged', 'Foo has been changed' ) );
		[ $message ] = $this->published();
		$this->assertMatchesRegularExpression( '/^WS[0-9a-f]{30}$/D', $message['from'] );
		$this->assertSame( [ 'FooDataChanged', 'Foo has been changed' ], [ $message['type'], $message['msg'] ] );
		$this->assertArrayNotHasKey( 'to', $message );
	}

	public function testMessagesThatAreNotStrings(): void {
		WebSocket::send( 'UpdateComments', [ [ 'id' => 1, 'html' => '<b>' ], [ 'id' => 2 ] ] );
		$this->assertSame( [ [ 'id' => 1, 'html' => '<b>' ], [ 'id' => 2 ] ], $this->published()[0]['msg'] );
	}

	public function testRecipients(): void {
		WebSocket::send( 'T', 'm', [ 'WS1', 'WS2' ] );
		WebSocket::send( 'T', 'm', 'WS1,WS2' );
		$this->assertSame( [ [ 'WS1', 'WS2' ], [ 'WS1', 'WS2' ] ], array_column( $this->published(), 'to' ) );
	}

	public function testSender(): void {
		WebSocket::send( 'T', 1 );
		WebSocket::$clientID = 'daemon';
		WebSocket::send( 'T', 2 );
		$this->request( [ 'clientID' => 'WSpage' ] );
		WebSocket::send( 'T', 3 );
		$this->request( [ 'clientID' => 'not an id' ] );
		WebSocket::send( 'T', 4 );
		WebSocket::$clientID = null;
		WebSocket::send( 'T', 5 );
		$senders = array_column( $this->published(), 'from' );
		$this->assertSame( [ 'daemon', 'WSpage', 'daemon' ], array_slice( $senders, 1, 3 ) );
		$this->assertSame( $senders[0], $senders[4], 'one id for the whole request' );
	}

	public function testMistakeIsNoException(): void {
		$this->assertFalse( WebSocket::send( '', 'm' ) );
		$this->assertFalse( WebSocket::send( null, 'm' ) );
		WebSocket::$clientID = 'not an id';
		$this->assertFalse( WebSocket::send( 'T', 'm' ) );
		$this->assertSame( [], $this->published() );
	}

	public function testWikiId(): void {
		global $wgDBname, $wgDBprefix;
		$this->assertSame( "$wgDBprefix$wgDBname:", WebSocket::wikiID() );
	}

	public function testAssignmentsInLocalSettings(): void {
		$globals = [ 'Port', 'Rewrite', 'Log', 'TLSCert', 'TLSKey', 'ClientID' ];
		foreach ( $globals as $name ) {
			$this->setMwGlobals( "wgWebSocket$name", "default of $name" );
		}
		WebSocket::$port = 8000;
		WebSocket::$rewrite = false;
		WebSocket::$perl = '/usr/bin/perl';
		WebSocket::$ssl_cert = '/c.pem';
		ExtensionRegistration::onRegistration();
		$values = array_map( static fn ( $name ) => $GLOBALS["wgWebSocket$name"], $globals );
		$this->assertSame(
			[ 8000, false, 'default of Log', '/c.pem', 'default of TLSKey', 'default of ClientID' ],
			$values
		);
	}
}
