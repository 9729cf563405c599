<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use ExtensionRegistry;
use FauxRequest;
use GuzzleHttp\Psr7\Uri;
use MediaWiki\Config\ServiceOptions;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWiki\Rest\CorsUtils;
use MediaWiki\Rest\EntryPoint;
use MediaWiki\Rest\RequestData;
use MediaWiki\Rest\ResponseFactory;
use MediaWiki\Rest\ResponseInterface;
use MediaWikiIntegrationTestCase;
use RequestContext;
use User;
use WebSocket;
use Wikimedia\TestingAccessWrapper;

/**
 * The routes as MediaWiki serves them: found by their path, behind its check of the right to read, with its headers.
 *
 * @covers \MediaWiki\Extension\WebSocket\Rest\SubscribeHandler
 * @covers \MediaWiki\Extension\WebSocket\Rest\TokenHandler
 * @covers \MediaWiki\Extension\WebSocket\Rest\TokensHandler
 * @group Database
 */
class RestTest extends MediaWikiIntegrationTestCase {
	private const FOREIGN = 'https://evil.example';

	protected function setUp(): void {
		parent::setUp();
		$this->overrideConfigValue( 'CanonicalServer', 'https://wiki.example' );
		$this->setGroupPermissions( '*', 'read', true );
		$this->declare( [ 'WebSocketTypes' => [ 'Inbox/{user}' => [] ] ] );
	}

	private function declare( array $settings ): void {
		foreach ( $settings as $name => $value ) {
			$this->setMwGlobals( "wg$name", $value );
		}
		$services = $this->getServiceContainer();
		foreach ( $services->getServiceNames() as $name ) {
			if ( str_starts_with( $name, 'WebSocket.' ) ) {
				$services->resetServiceForTesting( $name );
			}
		}
	}

	private function get(
		string $route, array $query, User $user, array $headers = [], bool $isPersistent = false
	): ResponseInterface {
		$services = $this->getServiceContainer();
		$config = $services->getMainConfig();
		$context = new RequestContext();
		$context->setRequest( new FauxRequest() );
		$context->setUser( $user );
		if ( $isPersistent ) {
			$context->getRequest()->getSession()->persist();
		}
		$request = new RequestData( [
			'uri' => new Uri( $config->get( 'RestPath' ) . "/websocket/v0/$route" ),
			'queryParams' => $query,
			'headers' => $headers,
		] );
		$factory = new ResponseFactory( [ $services->getMessageFormatterFactory()->getTextFormatter( 'en' ) ] );
		$cors = new CorsUtils( new ServiceOptions( CorsUtils::CONSTRUCTOR_OPTIONS, $config ), $factory, $user );
		$needed = [ $context, $request, $factory, $cors ];
		if ( version_compare( MW_VERSION, '1.40', '>=' ) ) {
			array_unshift( $needed, $services );
		}
		$router = TestingAccessWrapper::newFromClass( EntryPoint::class )->createRouter( ...$needed );
		return $cors->modifyResponse( $request, $router->execute( $request ) );
	}

	private function body( ResponseInterface $response ): array {
		return json_decode( (string)$response->getBody(), true, 512, JSON_THROW_ON_ERROR );
	}

	private function visitor(): User {
		return $this->getServiceContainer()->getUserFactory()->newAnonymous( '127.0.0.1' );
	}

	public function testToken(): void {
		$user = $this->getTestUser()->getUser();
		$response = $this->get( 'token', [], $user );
		$this->assertSame( 200, $response->getStatusCode() );
		$this->assertSame( 'application/json', $response->getHeaderLine( 'Content-Type' ) );
		$answer = $this->body( $response );
		$this->assertSame( [ 'token', 'expires', 'wiki', 'user' ], array_keys( $answer ) );
		$claims = Fixtures::claims( $answer['token'] );
		$this->assertSame( [ $user->getName(), WebSocket::wikiID(), $claims['exp'], $user->getName() ], [
			$answer['user'], $answer['wiki'], $answer['expires'], $claims['sub']
		] );
		$answer = $this->body( $this->get( 'token', [], $this->visitor() ) );
		$this->assertSame( '', Fixtures::claims( $answer['token'] )['sub'] );
	}

	public function testSubscribe(): void {
		$user = $this->getTestUser()->getUser();
		$inbox = WebSocket::wikiID() . 'Inbox/';
		$response = $this->get( 'subscribe', [ 'types' => "$inbox{$user->getName()}|{$inbox}x|Foo" ], $user );
		$this->assertSame( 200, $response->getStatusCode() );
		$answer = $this->body( $response );
		$this->assertSame( [ 'tokens', 'refused' ], array_keys( $answer ) );
		$this->assertSame( [ $inbox . $user->getName() ], array_column( $answer['tokens'], 'type' ) );
		$this->assertSame( [ 'forbidden', 'bad-request' ], array_column( $answer['refused'], 'code' ) );
		$this->assertSame( [ 'type', 'token', 'expires' ], array_keys( $answer['tokens'][0] ) );
		$this->assertSame( [ 'type', 'code', 'message' ], array_keys( $answer['refused'][0] ) );
	}

	public function testHostileTypes(): void {
		$response = $this->get( 'subscribe', [ 'types' => "\xff\xfe|\0|" . str_repeat( 'x', 300 ) ], $this->visitor() );
		$this->assertSame( 200, $response->getStatusCode() );
		$codes = array_column( $this->body( $response )['refused'], 'code' );
		$this->assertSame( [ 'bad-request', 'bad-request', 'bad-request' ], $codes );
		$response = $this->get( 'subscribe', [ 'types' => implode( '|', range( 1, 50 ) ) ], $this->visitor() );
		$this->assertCount( 50, $this->body( $response )['refused'] );
		foreach ( [ [ 'types' => implode( '|', range( 1, 51 ) ) ], [] ] as $query ) {
			$this->assertSame( 400, $this->get( 'subscribe', $query, $this->visitor() )->getStatusCode() );
		}
	}

	public function testCacheKeepsTheTokenOfAUser(): void {
		foreach ( [ $this->getTestUser()->getUser(), $this->visitor() ] as $user ) {
			foreach ( [ true, false ] as $isPersistent ) {
				foreach ( [ 'token', 'subscribe' ] as $route ) {
					$response = $this->get( $route, [ 'types' => 'Foo' ], $user, [], $isPersistent );
					$this->assertSame( 'private, no-store', $response->getHeaderLine( 'Cache-Control' ) );
					$this->assertSame( '', $response->getHeaderLine( 'ETag' ) . $response->getHeaderLine( 'Expires' ) );
				}
			}
		}
	}

	public function testVisitorOfAPrivateWikiGetsAToken(): void {
		$this->setGroupPermissions( '*', 'read', false );
		$this->setGroupPermissions( 'user', 'read', true );
		foreach ( [ 'token', 'subscribe' ] as $route ) {
			$response = $this->get( $route, [ 'types' => 'Foo' ], $this->visitor() );
			$this->assertSame( 403, $response->getStatusCode() );
			$this->assertArrayNotHasKey( 'token', $this->body( $response ) );
			$response = $this->get( $route, [ 'types' => 'Foo' ], $this->getTestUser()->getUser() );
			$this->assertSame( 200, $response->getStatusCode() );
		}
	}

	public function testWithoutKey(): void {
		$this->declare( [ 'WebSocketKey' => 'nonsense' ] );
		foreach ( [ 'token', 'subscribe' ] as $route ) {
			$response = $this->get( $route, [ 'types' => 'Foo' ], $this->getTestUser()->getUser() );
			$this->assertSame( 500, $response->getStatusCode() );
			$this->assertStringContainsString( 'no key', (string)$response->getBody() );
		}
	}

	public function testWikiWithoutARelayGivesNoTokens(): void {
		$this->declare( [ 'WebSocketPolling' => 5 ] );
		foreach ( [ 'token', 'subscribe' ] as $route ) {
			$response = $this->get( $route, [ 'types' => 'Foo' ], $this->getTestUser()->getUser() );
			$this->assertSame( 404, $response->getStatusCode() );
			$this->assertStringContainsString( 'no WebSocket relay', (string)$response->getBody() );
		}
	}

	public function testWritesAreRefused(): void {
		$services = $this->getServiceContainer();
		$routes = ExtensionRegistry::getInstance()->getAttribute( 'RestRoutes' );
		$own = array_filter( $routes, static fn ( $route ) => str_starts_with( $route['path'], '/websocket/' ) );
		$this->assertCount( 2, $own );
		foreach ( $own as $route ) {
			$this->assertSame( 'GET', $route['method'] ?? 'GET' );
			$handler = $services->getObjectFactory()->createObject( $route );
			$this->assertTrue( $handler->needsReadAccess() );
			$this->assertFalse( $handler->needsWriteAccess() );
		}
	}

	public function testForeignPageReadsTheTokenOfTheUser(): void {
		$user = $this->getTestUser()->getUser();
		$headers = [ 'Origin' => self::FOREIGN ];
		foreach ( [ 'token', 'subscribe' ] as $route ) {
			$response = $this->get( $route, [ 'types' => 'Foo', 'origin' => '*' ], $user, $headers );
			$this->assertSame( '', $response->getHeaderLine( 'Access-Control-Allow-Origin' ), 'as it comes' );
		}
		$this->overrideConfigValues( [ 'AllowCrossOrigin' => true, 'RestAllowCrossOriginCookieAuth' => true ] );
		foreach ( [ 'token', 'subscribe' ] as $route ) {
			$response = $this->get( $route, [ 'types' => 'Foo' ], $user, $headers );
			// With "*" a browser shows a page no answer to a request that carried cookies.
			$this->assertSame( '*', $response->getHeaderLine( 'Access-Control-Allow-Origin' ) );
			$this->assertSame( '', $response->getHeaderLine( 'Access-Control-Allow-Credentials' ) );
		}
	}
}
