<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use ApiMain;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWikiIntegrationTestCase;
use RequestContext;
use User;
use WebRequest;
use WebSocket;

/**
 * What a page of another site can read of the answers to a browser that is logged in here.
 *
 * @covers \MediaWiki\Extension\WebSocket\Api\ApiWebSocketSubscribe
 * @covers \MediaWiki\Extension\WebSocket\Api\ApiWebSocketToken
 * @group API
 * @group Database
 */
class ForeignOriginTest extends MediaWikiIntegrationTestCase {
	protected function setUp(): void {
		parent::setUp();
		$this->setGroupPermissions( '*', 'read', true );
		$this->setMwGlobals( 'wgWebSocketTypes', [ 'Inbox/{user}' => [] ] );
		$services = $this->getServiceContainer();
		foreach ( $services->getServiceNames() as $name ) {
			if ( str_starts_with( $name, 'WebSocket.' ) ) {
				$services->resetServiceForTesting( $name );
			}
		}
	}

	/** A real request, because MediaWiki trusts a FauxRequest. */
	private function request( array $parameters, array $headers ): WebRequest {
		return new class( $parameters, $headers ) extends WebRequest {
			public function __construct( array $parameters, array $headers ) {
				parent::__construct();
				$this->data = $parameters;
				$this->headers = $headers;
			}

			public function getIP(): string {
				return '192.0.2.1';
			}
		};
	}

	private function ask( User $user, array $parameters, array $headers = [] ): array {
		$context = new RequestContext();
		$context->setRequest( $this->request( $parameters, $headers ) );
		$context->setUser( $user );
		$main = new ApiMain( $context );
		$module = $main->getModuleManager()->getModule( $parameters['action'] );
		$module->execute();
		return $module->getResult()->getResultData( [ $parameters['action'] ], [ 'Strip' => 'all' ] );
	}

	public static function untrusted(): array {
		return [
			'anonymous CORS' => [ [ 'origin' => '*' ], [] ],
			'JSONP' => [ [ 'callback' => 'steal' ], [] ],
			'by header' => [ [], [ 'TREAT-AS-UNTRUSTED' => '1' ] ],
		];
	}

	/**
	 * @dataProvider untrusted
	 */
	public function testForeignPageGetsTheTokenOfTheUser( array $parameters, array $headers ): void {
		$user = $this->getTestSysop()->getUser();
		$own = $this->ask( $user, [ 'action' => 'websocket-token' ] );
		$this->assertSame( $user->getName(), Fixtures::claims( $own['token'] )['sub'], 'as it is without' );

		$answer = $this->ask( $user, $parameters + [ 'action' => 'websocket-token' ], $headers );
		$claims = Fixtures::claims( $answer['token'] );
		$this->assertSame( [ '', '' ], [ $answer['user'], $claims['sub'] ] );
		$this->assertSame( [], $claims['allow']['presence'] );
		$this->assertArrayNotHasKey( 'rights', $claims );
		$this->assertNotSame( Fixtures::claims( $own['token'] )['sid'], $claims['sid'], "the user's session" );
	}

	/**
	 * @dataProvider untrusted
	 */
	public function testForeignPageSubscribesAsTheUser( array $parameters, array $headers ): void {
		$user = $this->getTestSysop()->getUser();
		$question = [ 'action' => 'websocket-subscribe', 'types' => WebSocket::wikiID() . 'Inbox/' . $user->getName() ];
		$this->assertCount( 1, $this->ask( $user, $question )['tokens'], 'as it is without' );
		$answer = $this->ask( $user, $parameters + $question, $headers );
		$this->assertSame( [], $answer['tokens'] );
		$this->assertSame( 'forbidden', $answer['refused'][0]['code'] );
	}
}
