<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use RuntimeException;
use Wikimedia\Timestamp\ConvertibleTimestamp;

/**
 * Signs the tokens by which the relay knows this wiki and its users: JWT (RFC 7519), HS256 only.
 */
class TokenMinter {
	/** Seconds that a token of a visitor without an account is good for; long, because it stands in cached pages. */
	public const ANONYMOUS_TTL = 86400;

	/** Seconds that a token for publishing is good for */
	public const PUBLISH_TTL = 60;

	/** Seconds for which all requests publish with the same token: the relay knows it again, and need not verify it */
	private const PUBLISH_SHARED = 20;

	/**
	 * @param WikiIdentity $wiki
	 * @param int $userLife Seconds that a token of a user, and every subscription token, is good for
	 */
	public function __construct(
		private readonly WikiIdentity $wiki,
		private readonly int $userLife
	) {
	}

	/**
	 * A token with which a browser connects.
	 *
	 * @param string $user Name of the user; '': a visitor without an account
	 * @param string $sid Names the session to those who may end it, see sessionName()
	 * @param Grants $grants What its owner may do
	 * @return array{token:string,expires:int} expires: Unix time
	 * @throws RuntimeException When the wiki has no key
	 */
	public function connectToken( string $user, string $sid, Grants $grants ): array {
		$claims = [
			'sid' => $sid,
			'allow' => [
				'subscribe' => [ '*' ],
				'send' => $grants->maySend ? [ '*' ] : [],
				'presence' => $grants->maySeePresence ? [ '*' ] : [],
			],
		];
		if ( $grants->rights ) {
			$claims['rights'] = $grants->rights;
		}
		if ( $grants->rate !== null ) {
			$claims['rate'] = $grants->rate;
		}
		return $this->userToken( 'connect', $user, $user === '' ? self::ANONYMOUS_TTL : $this->userLife, $claims );
	}

	/**
	 * A token with which the owner of a connection token may subscribe to one more type.
	 *
	 * @param string $user The same as in the connection token
	 * @param string $sid As for connectToken()
	 * @param string $type As the page subscribes to it
	 * @return array{token:string,expires:int} expires: Unix time
	 * @throws RuntimeException When the wiki has no key
	 */
	public function subscribeToken( string $user, string $sid, string $type ): array {
		return $this->userToken( 'subscribe', $user, $this->userLife, [ 'sid' => $sid, 'type' => $type ] );
	}

	/**
	 * A token with which the wiki publishes, good for 40 seconds at least.
	 *
	 * @return string The same in all requests within some seconds, on all machines
	 * @throws RuntimeException When the wiki has no key
	 */
	public function publishToken(): string {
		$now = ConvertibleTimestamp::time();
		$issued = $now - $now % self::PUBLISH_SHARED;
		return $this->sign( [
			'iss' => $this->wiki->id,
			'aud' => 'publish',
			'sub' => '',
			'iat' => $issued,
			'exp' => $issued + self::PUBLISH_TTL,
		] );
	}

	/**
	 * A name for a session that does not give the session's id away.
	 *
	 * @param string $sessionId '': a new name each time
	 * @return string 32 hexadecimal digits
	 */
	public function sessionName( string $sessionId ): string {
		return $sessionId === ''
			? bin2hex( random_bytes( 16 ) )
			: substr( hash_hmac( 'sha256', "session $sessionId", $this->wiki->nameKey ), 0, 32 );
	}

	/** @return string|null Why nothing can be signed, and what to do; null: it can */
	public function getProblem(): ?string {
		return $this->wiki->problem;
	}

	/**
	 * @param string $audience
	 * @param string $user
	 * @param int $life Seconds
	 * @param array<string,mixed> $claims Further ones
	 * @return array{token:string,expires:int}
	 */
	private function userToken( string $audience, string $user, int $life, array $claims ): array {
		$now = ConvertibleTimestamp::time();
		return [
			'token' => $this->sign( [
				'iss' => $this->wiki->id,
				'aud' => $audience,
				'sub' => $user,
				'iat' => $now,
				'exp' => $now + $life,
			] + $claims ),
			'expires' => $now + $life,
		];
	}

	private function sign( array $claims ): string {
		if ( $this->wiki->key === null ) {
			throw new RuntimeException( (string)$this->wiki->problem );
		}
		$header = [ 'alg' => 'HS256', 'typ' => 'JWT', 'kid' => $this->wiki->id ];
		$text = self::part( $header ) . '.' . self::part( $claims );
		return $text . '.' . self::base64Url( hash_hmac( 'sha256', $text, $this->wiki->key, true ) );
	}

	private static function part( array $fields ): string {
		return self::base64Url( json_encode(
			$fields,
			JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR
		) );
	}

	private static function base64Url( string $raw ): string {
		return rtrim( strtr( base64_encode( $raw ), '+/', '-_' ), '=' );
	}
}
